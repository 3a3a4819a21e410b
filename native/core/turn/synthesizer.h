#pragma once

#include "core/parts.h"

#include <optional>
#include <vector>

namespace moss {

/// Turns units into audio while they are generated. If the caller gives no voice, the first Mandarin tone mark or
/// English stress mark tells the language and so the voice; the units before it wait until then.
class Synthesizer {
  public:
    /// @throws MossError MOSS_UNSUPPORTED without a voice, MOSS_INVALID_ARGUMENT for an option out of range.
    Synthesizer(const Model::Parts & parts, Runner & runner, const Speaking & speaking, uint64_t seed,
                double max_seconds);

    /// Adds a valid unit of the bundle, or an id of an imported voice, which the voice checks.
    void push(int32_t unit, const UnitProsody & prosody = {});

    /// Ends the utterance. Does nothing if full().
    void finish();

    /// Appends the next samples that are final. Returns false if there are none until more units are pushed or, after
    /// finish(), if the utterance is over.
    bool next(std::vector<float> & audio);

    /// Whether the audio has reached max_seconds. Audio after that is dropped.
    bool full() const { return samples_ >= max_samples_; }
    /// Whether audio was dropped because it was beyond max_seconds.
    bool cut() const { return cut_; }
    double seconds() const;
    /// The second of the audio at which each unit ends, for the units whose length is known so far.
    std::vector<double> ends() const;

  private:
    void feed();

    const Model::Parts & parts_;
    Runner & runner_;
    Speaking speaking_; // voice is -1 until it is known
    uint64_t seed_;
    float gain_;                          // factor of `speaking.energy` on the samples
    std::unique_ptr<VoiceStream> stream_; // null until the voice is known
    std::vector<int32_t> units_;          // units that have not been passed to the stream
    std::vector<UnitProsody> prosody_;    // one for each of units_
    size_t samples_ = 0;
    size_t max_samples_;
    bool cut_ = false;
};

} // namespace moss
