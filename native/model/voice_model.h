// The interface of all voices, whatever their network: a voice turns units or ids into audio.
//
//     const std::unique_ptr<VoiceStream> stream = voice.open(runner, speaking);
//     stream->push(ids.data(), ids.size());
//     stream->finish();
//     for (std::vector<float> audio; !(audio = stream->next()).empty();) play(audio);
//
// A voice with another network gets a class derived from VoiceModel in a file of its own, and an entry in the table
// voice_kinds in core/model.cpp.

#pragma once

#include "unit_prosody.h"

#include "../graph/runner.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moss {

struct Voice {
    std::string name;
    std::string language; ///< BCP 47: "en", "zh"
};

/// Options for speaking. Options that are not set take the model's values.
struct Speaking {
    int voice = -1;                   ///< index into VoiceFacts::voices; -1 chooses by the language of the units
    std::vector<float> mix;           ///< if VoiceFacts::mixes_voices: the share of each voice, in place of `voice`
    float speed = 1;                  ///< 0.5..2
    float pitch = 0;                  ///< -12..12 semitones, not for imported voices
    float energy = 0;                 ///< -20..20 dB on the samples, which stay in [-1, 1]
    float pause = 1;                  ///< 0..4, factor on the silences, if VoiceFacts::scales_pauses
    int emotion = 0;                  ///< index into VoiceFacts::emotions
    std::optional<uint64_t> seed;     ///< for noise and sampling; drawn from the session's random numbers if not set
    std::optional<float> noise_scale; ///< 0..2, liveliness of the sound
    // For imported voices only:
    std::optional<float> noise_w;      ///< 0..2, liveliness of the rhythm
    std::optional<float> length_scale; ///< 0.1..10, factor on all durations
};

/// Properties and abilities of a voice network.
struct VoiceFacts {
    int sample_rate = 0; ///< Hz
    std::vector<Voice> voices;
    int default_voice_en = 0; ///< index into voices
    int default_voice_zh = 0;
    bool mixes_voices = false;         ///< whether Speaking::mix is known
    bool scales_pauses = false;        ///< whether Speaking::pause may differ from 1
    std::vector<std::string> emotions; ///< [0] is neutral; empty if there are no others
    /// JSON that tells how text becomes the ids of an imported voice (`moss-speech.voice.text`). Empty if the ids are
    /// the bundle's units, which the language model generates one at a time.
    std::string text;
};

/// The synthesis of one utterance. Uses its runner only within its functions.
class VoiceStream {
  public:
    VoiceStream() = default;
    virtual ~VoiceStream() = default;
    VoiceStream(const VoiceStream &) = delete;
    VoiceStream & operator=(const VoiceStream &) = delete;

    /// Adds units or ids. `prosody` has one valid value for each, or is null. Throws invalid_argument, aborted or
    /// out_of_memory.
    virtual void push(const int32_t * ids, size_t count, const UnitProsody * prosody = nullptr) = 0;

    /// Ends the utterance. Throws as push() does.
    virtual void finish() = 0;

    /// Returns the next samples that are final. Empty if more must be pushed first or, after finish(), if the utterance
    /// is over. Throws as push() does.
    virtual std::vector<float> next() = 0;

    /// For each unit pushed so far whose length is known, the sample of the utterance at which its audio ends, in
    /// order. Empty if the voice does not tell.
    virtual std::vector<size_t> ends() const { return {}; }
};

/// The weights of a voice. Immutable: any number of streams, on any threads, may use it.
class VoiceModel {
  public:
    VoiceModel() = default;
    virtual ~VoiceModel() = default;
    VoiceModel(const VoiceModel &) = delete;
    VoiceModel & operator=(const VoiceModel &) = delete;

    virtual VoiceFacts facts() const = 0;

    /// Starts an utterance. `speaking.voice` must not be -1. Throws invalid_argument for options out of range.
    virtual std::unique_ptr<VoiceStream> open(Runner & runner, const Speaking & speaking, uint64_t seed) const = 0;
};

} // namespace moss
