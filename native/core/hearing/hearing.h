// Runs the encoder on recordings.

#pragma once

#include "core/hearing/voice_activity.h"
#include "core/parts.h"

#include <atomic>
#include <optional>
#include <vector>

namespace moss {

/// Throws invalid_argument if a sample is not finite.
void check_samples(const std::vector<float> & samples);

/// Checks that there is an encoder, and that the speech is finite, not empty and not longer than `max_seconds`.
void check_speech(const Model::Parts & parts, const std::vector<float> & samples, double max_seconds);

/// The utterances of a recording, empty if nobody speaks. Without a voice activity network or with `vad` false, the
/// whole recording is one utterance. Throws as check_speech() does; if `vad` is false, the recording must fit into one
/// turn.
std::vector<Span> utterances_of(const Model::Parts & parts, Runner & runner, const std::vector<float> & samples,
                                bool vad);

/// Encodes one utterance of a recording, after clearing `state`.
Heard hear(const Model::Parts & parts, Runner & runner, Listener::State & state, const std::vector<float> & samples,
           const Span & span);

/// The encoder's state of a session. It is created when it is first needed.
class Hearing {
  public:
    Hearing(const Model::Parts & parts, Runner & runner) : parts_(parts), runner_(runner) {}

    /// The state. To be called only if the model has a listener.
    Listener::State & state();

    /// Encodes one utterance of a recording.
    Heard hear(const std::vector<float> & samples, const Span & span);

    /// The CTC hypothesis of a recording. `progress` may be empty; it is called only if the recording is encoded in
    /// windows.
    HeardSounds encode(const std::vector<float> & samples, const Progress & progress);

    /// Bytes that the state takes.
    size_t bytes() const { return state_ ? state_->bytes() : 0; }

  private:
    const Model::Parts & parts_;
    Runner & runner_;
    std::optional<Listener::State> state_;
};

/// The CTC head's units and the pinyin of an utterance at `span`; times count from the start of the recording.
HeardSounds heard_sounds(const Model::Parts & parts, const Heard & heard, const Span & span,
                         const std::atomic<bool> & cancel);

/// Appends the sounds of the next utterance of the same recording.
void append_sounds(HeardSounds & sounds, HeardSounds && next);

} // namespace moss
