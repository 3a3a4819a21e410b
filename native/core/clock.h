#pragma once

#include <chrono>

namespace moss {

/// Measures computation time in milliseconds. It is paused while the receiver of chunks runs.
class Clock {
  public:
    double now() const {
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count() - paused_;
    }

    /// Runs `body` with the clock stopped.
    template <class Body>
    void pause(Body && body) {
        const double before = now();
        body();
        paused_ += now() - before;
    }

    /// Runs `body` and adds its time to `total`.
    template <class Body>
    auto measure(double & total, Body && body) const {
        struct Add {
            const Clock & clock;
            double & sum;
            double before;
            ~Add() { sum += clock.now() - before; }
        } add{*this, total, now()};
        return body();
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    double paused_ = 0;
};

} // namespace moss
