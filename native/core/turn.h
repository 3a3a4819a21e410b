#pragma once

#include "core/clock.h"
#include "core/rows.h"
#include "core/speaker.h"

#include <functional>
#include <optional>
#include <vector>

namespace moss {

/// Refuses speech that is empty, not finite or longer than `max_seconds`.
void check_speech(const Model::Parts & parts, const std::vector<float> & samples, double max_seconds);

/// Hears an utterance from its start to its end.
Heard hear(const Model::Parts & parts, Runner & runner, Listener::State & state, const std::vector<float> & samples);

/// What the CTC head and the tone module made of it.
HeardSounds heard_sounds(const Model::Parts & parts, const Heard & heard, size_t samples,
                         const std::atomic<bool> & cancel);

/// The CTC hypothesis alone, which a model that hears in windows can make of hours. `progress` may be empty.
HeardSounds hear_units(const Model::Parts & parts, Runner & runner, const std::vector<float> & samples,
                       const Progress & progress);

/// Writes down what was heard. The context is empty before and holds the rows after.
std::vector<int32_t> write_down(const Model::Parts & parts, Runner & runner, Lm::State & context, const Heard & heard,
                                const Sampling & sampling, int max_tokens);

/// One turn of a conversation: ARCHITECTURE.md, "Turn".
class Turn {
  public:
    /// `listener` may be null in a bundle without one. Sampling and noise follow `seed`.
    /// Throws, before anything is computed, where the request does not fit the model or the context.
    Turn(const Model::Parts & parts, Runner & runner, Listener::State * listener, Lm::State & context,
         const Request & request, const Receiver & receiver, uint64_t seed);

    /// Hears, reads, speaks and writes; delivers as it goes. The context holds the turn then.
    void run();

    /// After run(): lets `write` put down what was heard, for the last chunk.
    void note(const std::function<std::vector<int32_t>(const Heard &)> & write);

    /// Delivers the last chunk.
    void close();

  private:
    void check() const;
    LmLogits read();
    LmLogits speak(LmLogits logits);
    void write(LmLogits logits);
    void first_result();
    void deliver(Chunk && chunk);

    const Model::Parts & parts_;
    Runner & runner_;
    Listener::State * listener_;
    Lm::State & context_;
    const Request & request_;
    const Receiver & receiver_;
    bool spoken_;
    Sampling sampling_;
    uint64_t seed_;
    Clock clock_;
    Timings timings_;
    FinishReason finish_reason_ = FinishReason::stop;
    Rows rows_;
    std::optional<Speaker> speaker_; // of a spoken reply
    Heard heard_;
    Chunk last_;
    std::optional<HeardSounds> heard_sounds_; // until the first chunk takes it
};

} // namespace moss
