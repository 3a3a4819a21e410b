#pragma once

#include "core/parts.h"

#include <optional>
#include <vector>

namespace moss {

/// Turns units into audio as they come. Which voice speaks is decided by the first unit that tells the language, a
/// Mandarin tone mark or an English stress mark, where the caller leaves it open; units before it wait.
class Synthesizer {
  public:
    /// @throws MossError MOSS_UNSUPPORTED without a decoder, MOSS_INVALID_ARGUMENT for a voice, speed or emotion out of
    /// range.
    Synthesizer(const Model::Parts & parts, Runner & runner, const Speaking & speaking, uint64_t seed,
                double max_seconds);

    /// Appends the audio that `unit`, which is checked, completes.
    void push(int32_t unit, std::vector<float> & audio, const UnitProsody & prosody = {});

    /// No more units: appends the rest.
    void finish(std::vector<float> & audio);

    /// The audio has reached max_seconds; what is beyond is left out.
    bool full() const { return samples_ >= max_samples_; }
    /// There was audio beyond max_seconds.
    bool cut() const { return cut_; }
    double seconds() const;

  private:
    void feed(std::vector<float> & audio);
    void append(const std::vector<float> & samples, std::vector<float> & audio);

    const Model::Parts & parts_;
    Runner & runner_;
    int voice_; // -1: not known yet
    DecoderOptions options_;
    std::optional<VitsDecoder::Stream> stream_; // from when the voice is known
    std::vector<int32_t> units_;                // not fed yet
    std::vector<UnitProsody> prosody_;          // of these
    size_t samples_ = 0;
    size_t max_samples_;
    bool cut_ = false;
};

} // namespace moss
