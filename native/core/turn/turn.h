#pragma once

#include "core/clock.h"
#include "core/hearing/hearing.h"
#include "core/turn/lm_context.h"
#include "core/turn/synthesizer.h"

#include <functional>
#include <optional>
#include <vector>

namespace moss {

/// One turn of a conversation: docs/internals/turn.md.
class Turn {
  public:
    /// `listener` may be null in a bundle without one. Sampling and noise follow `seed`. Looks for the speech, and
    /// throws, before anything else is computed, where the request does not fit the model or the context.
    Turn(const Model::Parts & parts, Runner & runner, Listener::State * listener, Lm::State & state,
         const Request & request, const Receiver & receiver, uint64_t seed);

    /// Whether there is something to answer: not where nobody speaks. Then only close() is to be called.
    bool spoken_to() const { return finish_reason_ != FinishReason::no_speech; }

    /// Hears, reads, speaks and writes; delivers as it goes. The context holds the turn then.
    void run();

    /// After run(): lets `transcribe` tell the text of what was heard, for the last chunk.
    void add_transcript(const std::function<std::vector<int32_t>(const Heard &)> & transcribe);

    /// Delivers the last chunk.
    void close();

  private:
    void check_request() const;
    void find_speech();
    void check_room() const;
    LmLogits read();
    LmLogits speak(LmLogits logits);
    void write(LmLogits logits);
    void first_result();
    void deliver(Chunk && chunk);

    const Model::Parts & parts_;
    Runner & runner_;
    Listener::State * listener_;
    const Request & request_;
    const Receiver & receiver_;
    bool spoken_; // the reply
    Sampling sampling_;
    uint64_t seed_;
    Clock clock_;
    Timings timings_;
    FinishReason finish_reason_ = FinishReason::stop;
    Span speech_; // of the request's samples
    LmContext context_;
    std::optional<Synthesizer> synthesizer_; // of a spoken reply
    Heard heard_;
    Chunk last_;
    std::optional<HeardSounds> heard_sounds_; // until the first chunk takes it
};

} // namespace moss
