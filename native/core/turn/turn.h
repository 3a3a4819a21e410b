#pragma once

#include "core/clock.h"
#include "core/hearing/hearing.h"
#include "core/turn/lm_context.h"
#include "core/turn/reply.h"
#include "core/turn/synthesizer.h"
#include "core/turn/turns.h"

#include <functional>
#include <optional>
#include <vector>

namespace moss {

/// One turn of a conversation (docs/internals/turn.md). Speech is encoded and prefilled while it is fed, so that little
/// is left to do between its end and the reply.
///
///     Turn turn(…);
///     turn.begin();
///     turn.feed(samples, count); // whenever samples arrive; or read(ids)
///     turn.finish(receiver);
class Turn {
  public:
    /// `listener` may be null if the user's words are text. `seed` is for sampling and for noise. The samples and the
    /// text of the request are ignored. Throws if the request does not fit the model.
    Turn(const Model::Parts & parts, Runner & runner, Listener::State * listener, Turns & turns,
         const Request & request, uint64_t seed);

    /// Finds the speech of a turn in a recording: from the start of the first utterance to the end of the last one.
    /// Returns nothing if nobody speaks. Throws audio_length.
    std::optional<Span> find_speech(const std::vector<float> & samples, bool vad);

    /// Appends user_prefix to the context. Throws prompt_too_long, without changing the context, if there is no room
    /// for `positions` positions of the user's words and for a reply, nor can old turns make room (Turns::make_room).
    void begin(int64_t positions = 0);

    /// Encodes the next samples of the user's speech, which must be finite, and prefills the finished embeddings. The
    /// reply does not depend on how many samples are fed at a time. Throws audio_length or prompt_too_long when the
    /// speech has become too long.
    void feed(const float * samples, size_t count);

    /// The probability that the speaker has finished, from what was fed so far. Throws unsupported without an endpoint
    /// network.
    float completeness();

    /// Appends the token ids of the user's text.
    void read(const std::vector<int32_t> & text);

    /// Ends the user's part, then generates and delivers the reply. If `transcribe` is not empty, it transcribes the
    /// speech for the last chunk. Afterwards the context holds the whole turn. Throws audio_length if no speech was fed
    /// to a turn with a listener.
    void finish(const Receiver & receiver, const std::function<std::vector<int32_t>(const Heard &)> & transcribe = {});

    /// The context's length before the turn. It decreases when old turns make room for this one.
    int start() const { return start_; }

    /// The reply so far, also when finish() was cancelled. Not set before the reply begins.
    std::optional<ReplyInContext> reply() const;

    /// Ends a turn in which nobody speaks, before begin(): delivers a single chunk, with FinishReason::no_speech.
    void finish_unheard(const Receiver & receiver);

    /// The times that count from the turn's start count from here instead.
    void restart_clock() { clock_ = {}; }

  private:
    void check_length(size_t samples) const;
    void make_room(int64_t positions);
    void read_heard(bool last);
    LmLogits prompt();
    LmLogits speak(LmLogits logits);
    void write(LmLogits logits);
    void first_token();
    void first_result();
    void add_unit_ends(Chunk & chunk);
    void deliver(Chunk && chunk);
    void close();

    const Model::Parts & parts_;
    Runner & runner_;
    Listener::State * listener_;
    const Request & request_;
    const Receiver * receiver_ = nullptr; // set by finish()
    bool spoken_;                         // whether the reply is spoken
    Sampling sampling_;
    uint64_t seed_;
    Clock clock_;
    Timings timings_;
    FinishReason finish_reason_ = FinishReason::stop;
    Turns & turns_;
    LmContext context_;
    std::optional<Synthesizer> synthesizer_; // only set if the reply is spoken
    int start_ = 0;                          // the context's length before the turn
    size_t offset_ = 0;                      // samples of the recording before the speech
    size_t samples_ = 0;                     // samples fed so far
    Heard heard_;
    size_t embeddings_read_ = 0; // values of heard_.embeddings that the context holds
    int reply_start_ = -1;       // the position of the reply's first unit, or first text id; -1 before the reply begins
    size_t units_ = 0;           // units of the reply that the context holds
    size_t ends_ = 0;            // unit ends that were delivered
    Chunk last_;
    std::optional<HeardSounds> heard_sounds_; // for the first chunk, until that is delivered
};

} // namespace moss
