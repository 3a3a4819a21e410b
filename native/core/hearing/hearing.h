// From a recording to what was heard in it.

#pragma once

#include "core/hearing/voice_activity.h"
#include "core/parts.h"

#include <atomic>
#include <optional>
#include <vector>

namespace moss {

/// Refuses samples that are not finite.
void check_samples(const std::vector<float> & samples);

/// Refuses speech that is empty, not finite or longer than `max_seconds`.
void check_speech(const Model::Parts & parts, const std::vector<float> & samples, double max_seconds);

/// The utterances of a recording; all of it where there is no voice activity network or `vad` is false. Empty where
/// nobody speaks. Throws what check_speech() throws: without `vad` all of the recording must fit one turn.
std::vector<Span> utterances_of(const Model::Parts & parts, Runner & runner, const std::vector<float> & samples,
                                bool vad);

/// Hears an utterance of a recording from its start to its end.
Heard hear(const Model::Parts & parts, Runner & runner, Listener::State & state, const std::vector<float> & samples,
           const Span & span);

/// What a session hears with: the listener's state, made when it is first needed.
class Hearing {
  public:
    Hearing(const Model::Parts & parts, Runner & runner) : parts_(parts), runner_(runner) {}

    /// With a listener.
    Listener::State & state();

    /// Hears an utterance of a recording from its start to its end.
    Heard hear(const std::vector<float> & samples, const Span & span);

    /// The CTC hypothesis of a recording. Encoders that hear in windows tell their `progress`, which may be empty.
    HeardSounds encode(const std::vector<float> & samples, const Progress & progress);

    /// Memory of its own.
    size_t bytes() const { return state_ ? state_->bytes() : 0; }

  private:
    const Model::Parts & parts_;
    Runner & runner_;
    std::optional<Listener::State> state_;
};

/// What the CTC head and the tone module made of it; times count from the start of the recording.
HeardSounds heard_sounds(const Model::Parts & parts, const Heard & heard, const Span & span,
                         const std::atomic<bool> & cancel);

/// Adds what was heard in the next utterance of the same recording.
void append_sounds(HeardSounds & sounds, HeardSounds && next);

} // namespace moss
