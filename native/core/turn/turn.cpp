#include "core/turn/turn.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace moss {

namespace {

/// Positions kept for the text of a spoken reply when speech runs into the context's end.
constexpr int text_reserve = 64;

} // namespace

Turn::Turn(const Model::Parts & parts, Runner & runner, Listener::State * listener, Lm::State & state,
           const Request & request, const Receiver & receiver, uint64_t seed)
    : parts_(parts), runner_(runner), listener_(listener), request_(request), receiver_(receiver),
      spoken_(request.output != Output::text), sampling_(request.sampling.value_or(parts.info.sampling)), seed_(seed),
      context_(parts, runner, state) {
    check_request();
    if (!request_.samples.empty()) {
        clock_.measure(timings_.encode_ms, [&] { find_speech(); });
    }
    if (!spoken_to()) {
        return;
    }
    check_room();
    if (spoken_) {
        synthesizer_.emplace(parts, runner, request.speaking, seed, request.max_seconds);
    }
}

void Turn::check_request() const {
    if (request_.samples.empty() == request_.text.empty()) {
        throw MossError(request_.text.empty() ? code::audio_length : code::invalid_argument,
                        request_.text.empty() ? "the request is empty" : "the request is both speech and text");
    }
}

/// From the first utterance to the last one: pauses between them are heard, silence around them is not.
void Turn::find_speech() {
    timings_.input_seconds = static_cast<double>(request_.samples.size()) / parts_.info.input_sample_rate;
    const std::vector<Span> utterances = utterances_of(parts_, runner_, request_.samples, request_.vad);
    if (utterances.empty()) {
        finish_reason_ = FinishReason::no_speech;
        heard_sounds_.emplace().no_speech = true;
        return;
    }
    speech_ = {utterances.front().begin, utterances.back().end};
    const double seconds = static_cast<double>(speech_.size()) / parts_.info.input_sample_rate;
    const double limit = parts_.info.max_turn_seconds;
    if (seconds > limit) {
        std::ostringstream text;
        text << "from the first word to the last one there are " << std::fixed << std::setprecision(1) << seconds
             << " seconds, and a turn of this model has at most " << limit << ": transcribe() takes longer speech";
        throw MossError(code::audio_length, text.str(), {{"seconds", seconds}, {"limit", limit}});
    }
}

void Turn::check_room() const {
    const int64_t input = !request_.samples.empty() ? parts_.speech_positions(speech_.size())
                                                    : static_cast<int64_t>(request_.text.size());
    const int64_t needed = input + parts_.prompt_overhead() + parts_.reply_reserve();
    const int64_t free = context_.n_ctx() - context_.length();
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

void Turn::run() {
    LmLogits logits = read();
    if (spoken_) {
        logits = speak(std::move(logits));
    }
    write(std::move(logits));
    clock_.measure(timings_.lm_ms, [&] { context_.append_text(parts_.turn_template.turn_end, Tails::none); });
}

void Turn::add_transcript(const std::function<std::vector<int32_t>(const Heard &)> & transcribe) {
    last_.heard_text = clock_.measure(timings_.lm_ms, [&] { return transcribe(heard_); });
}

void Turn::close() {
    timings_.total_ms = clock_.now();
    last_.finish_reason = finish_reason_;
    last_.timings = timings_;
    deliver(std::move(last_));
}

/// Reads the user's turn up to the reply's first draw.
LmLogits Turn::read() {
    if (!request_.samples.empty()) {
        clock_.measure(timings_.encode_ms,
                       [&] { heard_ = hear(parts_, runner_, *listener_, request_.samples, speech_); });
        heard_sounds_ = heard_sounds(parts_, heard_, speech_, runner_.cancel);
    }
    return clock_.measure(timings_.prefill_ms, [&] {
        context_.append_text(parts_.turn_template.user_prefix, Tails::none);
        if (!request_.samples.empty()) {
            context_.append_embeddings(heard_.embeddings);
        } else {
            context_.append_text(request_.text, Tails::none);
        }
        if (!spoken_) {
            return context_.append_text(parts_.turn_template.assistant_prefix, Tails::text);
        }
        context_.append_text(parts_.turn_template.assistant_prefix, Tails::none);
        return context_.append(TurnPositions(parts_.vocabulary).speech_start(), Tails::audio);
    });
}

/// Draws units until eosp, and speaks them while it goes on. The text channel is modality_pad all the while.
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
        first_result();
        Chunk chunk;
        chunk.audio.swap(audio);
        chunk.units.swap(units);
        deliver(std::move(chunk));
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
        units.push_back(unit);
        clock_.measure(timings_.decode_ms, [&] { synthesizer_->push(unit, audio); });
        if (!audio.empty()) {
            deliver_audio();
        }
        logits = clock_.measure(timings_.lm_ms, [&] { return context_.append(positions.unit(unit), Tails::audio); });
    }
    clock_.measure(timings_.decode_ms, [&] { synthesizer_->finish(audio); });
    if (synthesizer_->cut()) {
        finish_reason_ = FinishReason::max_seconds;
    }
    deliver_audio();
    timings_.reply_seconds = synthesizer_->seconds();
    return clock_.measure(timings_.lm_ms, [&] { return context_.append(positions.speech_end(), Tails::text); });
}

/// The text: what was said, or the reply itself.
void Turn::write(LmLogits logits) {
    Sampling sampling = sampling_;
    sampling.seed = ~seed_;
    Sampler sampler(sampling);
    const FinishReason reason = clock_.measure(timings_.lm_ms, [&] {
        return context_.generate_text(std::move(logits), sampler, request_.max_tokens, [&](int32_t id) {
            first_result();
            if (request_.output != Output::speech) {
                Chunk chunk;
                chunk.text.push_back(id);
                deliver(std::move(chunk));
            }
        });
    });
    // What cut the speech short is the reason of the whole; what cut a text that nobody gets is none.
    if (finish_reason_ == FinishReason::stop && request_.output != Output::speech) {
        finish_reason_ = reason;
    }
}

void Turn::first_result() {
    if (timings_.first_audio_ms == 0) {
        timings_.first_audio_ms = clock_.now();
    }
}

void Turn::deliver(Chunk && chunk) {
    if (heard_sounds_) {
        chunk.heard = std::move(heard_sounds_);
        heard_sounds_.reset();
    }
    clock_.pause([&] { receiver_(std::move(chunk)); });
}

} // namespace moss
