// Normalised cross-correlation function (NCCF) of the waveform with itself: the pitch feature of the tone module.

#pragma once

#include <cstddef>
#include <vector>

namespace moss {

/// Streaming NCCF: for each hop of 320 samples, the correlation of the last 640 with the same samples `lag` earlier,
/// and 0.1 ln(mean square + 1e-7). Sums are computed hop by hop, so that the results do not depend on how many samples
/// are pushed at a time.
class Nccf {
  public:
    static constexpr int hop_length = 320;

    /// `lags` in samples, ascending, all positive.
    explicit Nccf(std::vector<int> lags);

    /// The number of values in a frame: one per lag, then the energy.
    size_t frame_size() const { return lags_.size() + 1; }

    /// `count` is a multiple of hop_length; appends count / hop_length frames.
    void push(const float * samples, size_t count, std::vector<float> & frames);

    void clear();

  private:
    struct Sums {
        double cross = 0, delayed = 0;
    };

    std::vector<int> lags_;
    std::vector<float> history_; // as many samples as the longest lag, then those of the current hop
    std::vector<Sums> previous_; // the sums over the previous hop, per lag
    double previous_energy_ = 0;
};

} // namespace moss
