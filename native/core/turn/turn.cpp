#include "core/turn/turn.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace moss {

namespace {

/// Positions that a spoken reply leaves free at the end of the context for its text.
constexpr int text_reserve = 64;

/// The number of speech embeddings that are prefilled at a time. It is fixed, so that the numerical results do not
/// depend on how the samples are fed.
constexpr size_t heard_positions = 32;

} // namespace

Turn::Turn(const Model::Parts & parts, Runner & runner, Listener::State * listener, Turns & turns,
           const Request & request, uint64_t seed)
    : parts_(parts), runner_(runner), listener_(listener), request_(request), spoken_(request.output != Output::text),
      sampling_(request.sampling.value_or(parts.info.sampling)), seed_(seed), turns_(turns),
      context_(parts, runner, turns.context()), start_(context_.length()) {
    if (listener_ != nullptr) {
        listener_->clear();
    }
    if (spoken_) {
        synthesizer_.emplace(parts, runner, request.speaking, seed, request.max_seconds);
    }
}

std::optional<Span> Turn::find_speech(const std::vector<float> & samples, bool vad) {
    return clock_.measure(timings_.encode_ms, [&]() -> std::optional<Span> {
        timings_.input_seconds = static_cast<double>(samples.size()) / parts_.info.input_sample_rate;
        const std::vector<Span> utterances = utterances_of(parts_, runner_, samples, vad);
        if (utterances.empty()) {
            return std::nullopt;
        }
        const Span speech{utterances.front().begin, utterances.back().end};
        check_length(speech.size());
        offset_ = speech.begin;
        return speech;
    });
}

void Turn::check_length(size_t samples) const {
    const double seconds = static_cast<double>(samples) / parts_.info.input_sample_rate;
    const double limit = parts_.info.max_turn_seconds;
    if (seconds > limit) {
        std::ostringstream text;
        text << "the speech lasts " << std::fixed << std::setprecision(1) << seconds
             << " seconds from the first word to the last, and a turn of this model has at most " << limit
             << ": transcribe() takes longer speech";
        throw MossError(code::audio_length, text.str(), {{"seconds", seconds}, {"limit", limit}});
    }
}

/// Makes sure that the context has room for `positions` positions of the user's words and for a reply.
void Turn::make_room(int64_t positions) {
    const int64_t needed = positions + parts_.prompt_overhead() + parts_.reply_reserve();
    start_ -= clock_.measure(timings_.prefill_ms, [&] { return turns_.make_room(needed, start_); });
    const int64_t free = context_.n_ctx() - start_;
    if (needed > free) {
        const ErrorDetails details{{"positions", static_cast<double>(needed)},
                                   {"free", static_cast<double>(free)},
                                   {"context", static_cast<double>(context_.n_ctx())}};
        throw MossError(code::prompt_too_long,
                        needed <= context_.n_ctx()
                            ? "the conversation has filled the model's context: session.reset() empties it"
                            : "the text is longer than the model's context",
                        details);
    }
}

void Turn::begin(int64_t positions) {
    make_room(positions);
    clock_.measure(timings_.prefill_ms, [&] { context_.append_text(parts_.turn_template.user_prefix, Tails::none); });
}

void Turn::feed(const float * samples, size_t count) {
    samples_ += count;
    check_length(samples_);
    make_room(parts_.speech_positions(samples_));
    clock_.measure(timings_.encode_ms, [&] { parts_.listener->push(runner_, *listener_, samples, count, heard_); });
    read_heard(false);
}

float Turn::completeness() {
    if (!parts_.endpoint) {
        throw MossError(code::unsupported, "this model cannot tell whether a turn is complete",
                        {{"component", "endpoint"}});
    }
    return clock_.measure(timings_.encode_ms, [&] {
        const size_t size = static_cast<size_t>(parts_.info.feature_size);
        const size_t most = static_cast<size_t>(parts_.endpoint->config().frames) * size;
        const std::vector<float> & heard = heard_.encoder.hidden;
        std::vector<float> states(heard.end() - static_cast<std::ptrdiff_t>(std::min(heard.size(), most)), heard.end());
        const std::vector<float> ahead = parts_.listener->peek(runner_, *listener_);
        states.insert(states.end(), ahead.begin(), ahead.end());
        return (*parts_.endpoint)(runner_, states);
    });
}

void Turn::read(const std::vector<int32_t> & text) {
    clock_.measure(timings_.prefill_ms, [&] { context_.append_text(text, Tails::none); });
}

/// Prefills the context with the embeddings that it does not hold yet: whole pieces of them, or all if `last`.
void Turn::read_heard(bool last) {
    const size_t width = static_cast<size_t>(parts_.lm->config().embedding_length), piece = heard_positions * width;
    clock_.measure(timings_.prefill_ms, [&] {
        while (true) {
            const size_t ready = heard_.embeddings.size() - embeddings_read_;
            if (ready == 0 || (ready < piece && !last)) {
                return;
            }
            const size_t size = std::min(ready, piece);
            context_.append_embeddings(heard_.embeddings.data() + embeddings_read_, size / width);
            embeddings_read_ += size;
        }
    });
}

void Turn::finish(const Receiver & receiver, const std::function<std::vector<int32_t>(const Heard &)> & transcribe) {
    receiver_ = &receiver;
    if (listener_ != nullptr) {
        if (samples_ == 0) {
            throw MossError(code::audio_length, "the speech is empty",
                            {{"seconds", 0.0}, {"limit", parts_.info.max_turn_seconds}});
        }
        clock_.measure(timings_.encode_ms, [&] { parts_.listener->finish(runner_, *listener_, heard_); });
        heard_sounds_ = heard_sounds(parts_, heard_, {offset_, offset_ + samples_}, runner_.cancel);
        read_heard(true);
        timings_.heard_ms = clock_.now();
        timings_.input_seconds =
            std::max(timings_.input_seconds, static_cast<double>(samples_) / parts_.info.input_sample_rate);
    }
    LmLogits logits = clock_.measure(timings_.prefill_ms, [&] { return prompt(); });
    reply_start_ = context_.length();
    timings_.ready_ms = clock_.now();
    if (spoken_) {
        logits = speak(std::move(logits));
    }
    write(std::move(logits));
    clock_.measure(timings_.lm_ms, [&] { context_.append_text(parts_.turn_template.turn_end, Tails::none); });
    if (transcribe) {
        last_.heard_text = clock_.measure(timings_.lm_ms, [&] { return transcribe(heard_); });
    }
    close();
}

std::optional<ReplyInContext> Turn::reply() const {
    if (reply_start_ < 0) {
        return std::nullopt;
    }
    ReplyInContext reply;
    reply.turn_start = start_;
    reply.start = reply_start_;
    reply.spoken = spoken_;
    reply.units = units_;
    return reply;
}

void Turn::finish_unheard(const Receiver & receiver) {
    receiver_ = &receiver;
    finish_reason_ = FinishReason::no_speech;
    heard_sounds_.emplace().no_speech = true;
    close();
}

void Turn::close() {
    timings_.total_ms = clock_.now();
    last_.finish_reason = finish_reason_;
    last_.timings = timings_;
    deliver(std::move(last_));
}

/// Appends the positions between the user's words and the reply, and returns the logits of the reply's first id.
LmLogits Turn::prompt() {
    if (!spoken_) {
        return context_.append_text(parts_.turn_template.assistant_prefix, Tails::text);
    }
    context_.append_text(parts_.turn_template.assistant_prefix, Tails::none);
    return context_.append(TurnPositions(parts_.vocabulary).speech_start(), Tails::audio);
}

/// Samples units until eosp and speaks them meanwhile. The text channel is modality_pad at all of these positions.
/// Returns the logits of the first text id.
LmLogits Turn::speak(LmLogits logits) {
    const TurnPositions positions(parts_.vocabulary);
    const int eosp = parts_.vocabulary.audio.eosp;
    const int reserve = std::min(text_reserve, parts_.reply_reserve() / 2);
    Sampling sampling = sampling_;
    sampling.seed = seed_;
    Sampler sampler(sampling);
    std::vector<float> audio;
    std::vector<int32_t> units;
    const auto deliver_audio = [&] {
        while (clock_.measure(timings_.decode_ms, [&] { return synthesizer_->next(audio); })) {
            first_result();
            Chunk chunk;
            chunk.audio.swap(audio);
            chunk.units.swap(units);
            add_unit_ends(chunk);
            deliver(std::move(chunk));
        }
    };
    bool may_end = false;
    while (true) {
        if (synthesizer_->full() || context_.left() <= reserve) {
            finish_reason_ = synthesizer_->full() ? FinishReason::max_seconds : FinishReason::context_length;
            break;
        }
        const int32_t unit = context_.sample_unit(sampler, logits, may_end);
        if (unit == eosp) {
            break;
        }
        may_end = true;
        first_token();
        units.push_back(unit);
        clock_.measure(timings_.decode_ms, [&] { synthesizer_->push(unit); });
        deliver_audio();
        logits = clock_.measure(timings_.lm_ms, [&] { return context_.append(positions.unit(unit), Tails::audio); });
        units_++;
    }
    clock_.measure(timings_.decode_ms, [&] { synthesizer_->finish(); });
    deliver_audio();
    if (!units.empty()) { // the last units, which gave no more audio
        Chunk chunk;
        chunk.units.swap(units);
        add_unit_ends(chunk);
        deliver(std::move(chunk));
    }
    if (synthesizer_->cut()) {
        finish_reason_ = FinishReason::max_seconds;
    }
    timings_.reply_seconds = synthesizer_->seconds();
    return clock_.measure(timings_.lm_ms, [&] { return context_.append(positions.speech_end(), Tails::text); });
}

/// Samples the text: the text of a spoken reply, or the reply itself.
void Turn::write(LmLogits logits) {
    Sampling sampling = sampling_;
    sampling.seed = ~seed_;
    Sampler sampler(sampling);
    const FinishReason reason = clock_.measure(timings_.lm_ms, [&] {
        return context_.generate_text(std::move(logits), sampler, request_.max_tokens, [&](int32_t id) {
            first_token();
            first_result();
            if (request_.output != Output::speech) {
                Chunk chunk;
                chunk.text.push_back(id);
                deliver(std::move(chunk));
            }
        });
    });
    // If the speech was cut short, that is the reason for the reply as a whole. A cut in a text that is not delivered
    // does not count.
    if (finish_reason_ == FinishReason::stop && request_.output != Output::speech) {
        finish_reason_ = reason;
    }
}

void Turn::first_token() {
    if (timings_.first_token_ms == 0) {
        timings_.first_token_ms = clock_.now();
    }
}

void Turn::first_result() {
    if (timings_.first_audio_ms == 0) {
        timings_.first_audio_ms = clock_.now();
    }
}

/// Adds the ends of the units whose length has become known.
void Turn::add_unit_ends(Chunk & chunk) {
    const std::vector<double> ends = synthesizer_->ends();
    for (; ends_ < ends.size(); ends_++) {
        chunk.unit_ends.push_back(static_cast<float>(ends[ends_]));
    }
}

void Turn::deliver(Chunk && chunk) {
    if (heard_sounds_) {
        chunk.heard = std::move(heard_sounds_);
        heard_sounds_.reset();
    }
    clock_.pause([&] { (*receiver_)(std::move(chunk)); });
}

} // namespace moss
