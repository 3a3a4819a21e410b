#pragma once

#include "core/parts.h"

#include <optional>
#include <vector>

namespace moss {

/// Turns units into audio as they come. Which voice speaks is decided by the first unit that tells the language, a
/// Mandarin tone mark or an English stress mark, where the caller leaves it open; units before it wait.
class Synthesizer {
  public:
    /// @throws MossError MOSS_UNSUPPORTED without a voice, MOSS_INVALID_ARGUMENT for a voice, speed or emotion out of
    /// range.
    Synthesizer(const Model::Parts & parts, Runner & runner, const Speaking & speaking, uint64_t seed,
                double max_seconds);

    /// A unit, which is checked, or an id of an imported voice.
    void push(int32_t unit, const UnitProsody & prosody = {});

    /// No more units. Nothing to do where the audio is full.
    void finish();

    /// Appends the next audio that is final; false where there is none until more is pushed, or none any more.
    bool next(std::vector<float> & audio);

    /// The audio has reached max_seconds; what is beyond is left out.
    bool full() const { return samples_ >= max_samples_; }
    /// There was audio beyond max_seconds.
    bool cut() const { return cut_; }
    double seconds() const;

  private:
    void feed();

    const Model::Parts & parts_;
    Runner & runner_;
    Speaking speaking_; // its voice is -1 until it is known
    uint64_t seed_;
    std::unique_ptr<VoiceStream> stream_; // from when the voice is known
    std::vector<int32_t> units_;          // not pushed yet
    std::vector<UnitProsody> prosody_;    // of these
    size_t samples_ = 0;
    size_t max_samples_;
    bool cut_ = false;
};

} // namespace moss
