// The harmonic source of the waveform generator (training/networks/istft_generator.py): F0 to the spectrum of nine
// sines, as a stream.

#pragma once

#include "istft_config.h"

#include <array>
#include <cstdint>
#include <vector>

namespace moss {

constexpr size_t source_harmonics = 9;

/// How the sines are mixed.
struct SourceMixture {
    std::array<double, source_harmonics> weights{};
    double bias = 0;
};

/// Sines whose phase runs on in the stream's own time, through the mixture and tanh, and their STFT. In double
/// precision: what the sines leak into the bins far above them is small, and its phase is an input like any other.
/// Lives on the host: the phase is a sum over all that was.
class HarmonicSource {
  public:
    HarmonicSource(const IstftConfig & config, const SourceMixture & mixture);

    /// F0 of the next frames in Hz; 0 where unvoiced. `last`: they are the stream's end.
    void push(const float * f0, int64_t count, bool last);

    /// Frames of the spectrum that are known: `istft_hop` samples each, and one more at the stream's end.
    int64_t end() const { return end_; }
    bool finished() const { return finished_; }

    /// Frames by which the spectrum lags behind F0 until the stream is finished.
    static int64_t lag(const IstftConfig & config);

    /// Frames first .. first + count, each [magnitudes, phases]; zeros before the first and after the last one of the
    /// stream. Throws internal for frames that are not known, or forgotten.
    std::vector<float> frames(int64_t first, int64_t count) const;

    /// Frames before `first` are not asked for again.
    void forget(int64_t first);

  private:
    enum class Half { first, second };
    using Turns = std::array<double, source_harmonics>;

    void add_half(Half half, const Turns & increment, bool voiced);
    void analyse();

    const IstftConfig config_;
    const SourceMixture mixture_;
    std::vector<double> cosines_, sines_; // windowed, [n_fft][bins]

    Turns middle_{};      // phases in the middle of the last frame
    bool voiced_ = false; // of the last frame
    bool started_ = false;
    bool finished_ = false;
    std::vector<double> samples_; // of the source, from samples_first_ on
    int64_t samples_first_ = 0;
    std::vector<float> spectrum_; // from frame kept_ on
    int64_t kept_ = 0;
    int64_t end_ = 0;
};

} // namespace moss
