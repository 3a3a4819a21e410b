// The harmonic source of the waveform generator (training/networks/istft_generator.py). It turns F0 into the spectrum
// of a mixture of nine sines, as a stream.

#pragma once

#include "istft_config.h"

#include <array>
#include <cstdint>
#include <vector>

namespace moss {

constexpr size_t source_harmonics = 9;

/// Weights and bias of the mixture of the sines.
struct SourceMixture {
    std::array<double, source_harmonics> weights{};
    double bias = 0;
};

/// Computes sines whose phase continues from piece to piece, their mixture through tanh, and its STFT. It uses double
/// precision, because the generator also reads the phases of bins far above the sines, where only a little leaks. It
/// runs on the host and not in a graph, because the phase is a sum over the whole stream.
class HarmonicSource {
  public:
    HarmonicSource(const IstftConfig & config, const SourceMixture & mixture);

    /// Adds F0 of the next frames in Hz, 0 if unvoiced. `last` tells that the stream ends with them.
    void push(const float * f0, int64_t count, bool last);

    /// The number of frames of the spectrum that are known: one for each `istft_hop` samples, and one more at the end
    /// of the stream.
    int64_t end() const { return end_; }
    bool finished() const { return finished_; }

    /// The number of frames by which the spectrum lags behind F0 until the stream is finished.
    static int64_t lag(const IstftConfig & config);

    /// Returns the frames [first, first + count) of the spectrum, each [magnitudes, phases]. Frames before the start
    /// and after the end of the stream are zeros. Throws internal for frames that are not known yet or have been freed.
    std::vector<float> frames(int64_t first, int64_t count) const;

    /// Frees the frames before `first`, which must not be asked for again.
    void forget(int64_t first);

  private:
    enum class Half { first, second };
    using Turns = std::array<double, source_harmonics>; // phases in turns: 1 is 2 pi

    void add_half(Half half, const Turns & increment, bool voiced);
    void analyse();

    const IstftConfig config_;
    const SourceMixture mixture_;
    std::vector<double> cosines_, sines_; // windowed, [n_fft][bins]

    Turns middle_{};      // phases in the middle of the last frame
    bool voiced_ = false; // whether the last frame is voiced
    bool started_ = false;
    bool finished_ = false;
    std::vector<double> samples_; // samples of the source from index samples_first_ on
    int64_t samples_first_ = 0;
    std::vector<float> spectrum_; // frames from index kept_ on
    int64_t kept_ = 0;
    int64_t end_ = 0;
};

} // namespace moss
