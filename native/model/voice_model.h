// What all voices have in common, whatever their network: what reads units or ids aloud.
//
//     const std::unique_ptr<VoiceStream> stream = voice.open(runner, speaking);
//     stream->push(ids.data(), ids.size());
//     stream->finish();
//     for (std::vector<float> audio; !(audio = stream->next()).empty();) play(audio);
//
// A voice with another network derives from VoiceModel, in a file of its own, and stands in the table of
// core/model.cpp.

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

/// How units become audio.
struct Speaking {
    int voice = -1;                   ///< index into VoiceFacts::voices; -1: by the units' language
    float speed = 1;                  ///< 0.5..2
    int emotion = 0;                  ///< index into VoiceFacts::emotions
    std::optional<uint64_t> seed;     ///< of noise and sampling; else the next one of the session's generator
    std::optional<float> noise_scale; ///< 0..2, liveliness of the sound; else the model's
    // Of imported voices only:
    std::optional<float> noise_w;      ///< 0..2, liveliness of the rhythm; else the voice's
    std::optional<float> length_scale; ///< 0.1..10, factor on all durations; else the voice's
};

/// What a voice network is and can do.
struct VoiceFacts {
    int sample_rate = 0; ///< Hz
    std::vector<Voice> voices;
    int default_voice_en = 0; ///< index into voices
    int default_voice_zh = 0;
    std::vector<std::string> emotions; ///< [0] is neutral; none: there are no others
    /// How text becomes the voice's ids, JSON (`moss-speech.voice.text`). Empty: the ids are the bundle's units, which
    /// the language model generates one at a time.
    std::string text;
};

/// An utterance under way. Uses its runner only within its functions.
class VoiceStream {
  public:
    VoiceStream() = default;
    virtual ~VoiceStream() = default;
    VoiceStream(const VoiceStream &) = delete;
    VoiceStream & operator=(const VoiceStream &) = delete;

    /// More units or ids; `prosody` is one each, in range, or null. Throws invalid_argument, aborted, out_of_memory.
    virtual void push(const int32_t * ids, size_t count, const UnitProsody * prosody = nullptr) = 0;

    /// Nothing more is pushed. Throws as push() does.
    virtual void finish() = 0;

    /// The next samples that are final. None: more must be pushed or, after finish(), the utterance is over. Throws as
    /// push() does.
    virtual std::vector<float> next() = 0;
};

/// Weights of a voice. Immutable: any number of streams, on any threads.
class VoiceModel {
  public:
    VoiceModel() = default;
    virtual ~VoiceModel() = default;
    VoiceModel(const VoiceModel &) = delete;
    VoiceModel & operator=(const VoiceModel &) = delete;

    virtual VoiceFacts facts() const = 0;

    /// `speaking.voice` is an index. Throws invalid_argument for options out of range.
    virtual std::unique_ptr<VoiceStream> open(Runner & runner, const Speaking & speaking, uint64_t seed) const = 0;
};

} // namespace moss
