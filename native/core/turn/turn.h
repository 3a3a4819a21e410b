#pragma once

#include "core/clock.h"
#include "core/hearing/hearing.h"
#include "core/turn/lm_context.h"
#include "core/turn/synthesizer.h"

#include <functional>
#include <optional>
#include <vector>

namespace moss {

/// One turn of a conversation: docs/internals/turn.md. The user's words are heard and read as they come, so that after
/// the last of them little is left to do before the answer.
///
///     Turn turn(…);
///     turn.begin();
///     turn.feed(samples, count); // as often as samples come; or read(ids)
///     turn.finish(receiver);
class Turn {
  public:
    /// `listener` may be null where nothing is heard. Sampling and noise follow `seed`. Of the request, what is to be
    /// heard or read is not looked at. Throws where the request does not fit the model.
    Turn(const Model::Parts & parts, Runner & runner, Listener::State * listener, Lm::State & state,
         const Request & request, uint64_t seed);

    /// Where in a recording the speech of a turn is: from the first utterance to the last one, pauses between them
    /// included, silence around them not. Nothing: nobody speaks. Throws audio_length.
    std::optional<Span> find_speech(const std::vector<float> & samples, bool vad);

    /// Reads what stands before the user's words. Throws prompt_too_long where the context has no room for so many
    /// positions of the user's and a reply; the context is as it was then.
    void begin(int64_t positions = 0);

    /// Hears the next samples of the user's speech, which are finite. The reply does not depend on how many come at a
    /// time. Throws audio_length and prompt_too_long where it has become too long.
    void feed(const float * samples, size_t count);

    /// Reads the user's written words.
    void read(const std::vector<int32_t> & text);

    /// The user's turn is over: answers it, and delivers as it goes. `transcribe`, if not empty, makes text of what was
    /// heard for the last chunk. The context holds the turn then. Throws audio_length where nothing was fed or read.
    void finish(const Receiver & receiver, const std::function<std::vector<int32_t>(const Heard &)> & transcribe = {});

    /// The context's length before the turn.
    int start() const { return start_; }

    /// In place of all that: nobody speaks. Delivers the only chunk.
    void finish_unheard(const Receiver & receiver);

    /// Timings::first_audio_ms and total_ms count from here instead of from the turn's start.
    void restart_clock() { clock_ = {}; }

  private:
    void check_length(size_t samples) const;
    void check_room(int64_t positions) const;
    void read_heard(bool last);
    LmLogits prompt();
    LmLogits speak(LmLogits logits);
    void write(LmLogits logits);
    void first_result();
    void deliver(Chunk && chunk);
    void close();

    const Model::Parts & parts_;
    Runner & runner_;
    Listener::State * listener_;
    const Request & request_;
    const Receiver * receiver_ = nullptr; // from finish() on
    bool spoken_;                         // the reply
    Sampling sampling_;
    uint64_t seed_;
    Clock clock_;
    Timings timings_;
    FinishReason finish_reason_ = FinishReason::stop;
    LmContext context_;
    std::optional<Synthesizer> synthesizer_; // of a spoken reply
    int start_ = 0;                          // the context's length before the turn
    size_t offset_ = 0;                      // samples of the recording before what is fed
    size_t samples_ = 0;                     // fed so far
    Heard heard_;
    size_t embeddings_read_ = 0; // of those that were heard, values
    Chunk last_;
    std::optional<HeardSounds> heard_sounds_; // until the first chunk takes it
};

} // namespace moss
