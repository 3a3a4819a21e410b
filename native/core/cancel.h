#pragma once

#include <atomic>
#include <mutex>

namespace moss {

/// Stops one task. May be cancelled from any thread at any time: before the task starts, while it runs, after its end.
class CancelToken {
  public:
    void cancel() {
        const std::lock_guard<std::mutex> lock(mutex_);
        cancelled_ = true;
        if (flag_ != nullptr) {
            *flag_ = true;
        }
    }

    bool cancelled() const { return cancelled_; }

    /// While it lives, cancelling the token also sets `flag`, which stops the running graph.
    class Attach {
      public:
        Attach(CancelToken & token, std::atomic<bool> & flag) : token_(token), flag_(flag) {
            const std::lock_guard<std::mutex> lock(token_.mutex_);
            token_.flag_ = &flag_;
            flag_ = token_.cancelled();
        }
        ~Attach() {
            const std::lock_guard<std::mutex> lock(token_.mutex_);
            token_.flag_ = nullptr;
            flag_ = false;
        }
        Attach(const Attach &) = delete;
        Attach & operator=(const Attach &) = delete;

      private:
        CancelToken & token_;
        std::atomic<bool> & flag_;
    };

  private:
    std::mutex mutex_; // guards flag_
    std::atomic<bool> * flag_ = nullptr;
    std::atomic<bool> cancelled_{false};
};

} // namespace moss
