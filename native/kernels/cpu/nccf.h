// Normalised cross-correlation of the waveform with itself, the tone module's view of pitch.

#pragma once

#include <cstddef>
#include <vector>

namespace moss {

/// Streaming NCCF: for each hop of 320 samples, the correlation of the last 640 with the same samples `lag` earlier,
/// and 0.1 ln(mean square + 1e-7). Sums are made block by block, so results do not depend on the sizes pushed.
class Nccf {
  public:
    static constexpr int hop_length = 320;

    /// `lags` in samples, ascending, all positive.
    explicit Nccf(std::vector<int> lags);

    /// Values a frame: one per lag, then the energy.
    size_t frame_size() const { return lags_.size() + 1; }

    /// `count` is a multiple of hop_length; appends count / hop_length frames.
    void push(const float * samples, size_t count, std::vector<float> & frames);

    void clear();

  private:
    struct Sums {
        double cross = 0, delayed = 0;
    };

    std::vector<int> lags_;
    std::vector<float> history_; // the longest lag's samples, then the block at hand
    std::vector<Sums> previous_; // the block before, per lag
    double previous_energy_ = 0;
};

} // namespace moss
