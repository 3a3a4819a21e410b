#include "core/turn.h"

#include "core/transcript.h"

#include <algorithm>
#include <cmath>

namespace moss {

namespace {

/// Rows kept for the text of a spoken reply when speech runs into the context's end.
constexpr int text_reserve = 64;

} // namespace

void check_speech(const Model::Parts & parts, const std::vector<float> & samples, double max_seconds) {
    if (!parts.listener) {
        throw MossError(code::unsupported, "this model has no encoder: it cannot hear");
    }
    const double seconds = static_cast<double>(samples.size()) / parts.info.input_sample_rate;
    if (samples.empty() || seconds > max_seconds) {
        throw MossError(code::audio_length,
                        samples.empty()
                            ? "the speech is empty"
                            : "the speech is longer than the " + std::to_string(static_cast<int>(max_seconds)) +
                                  " seconds that this model can take at once",
                        {{"seconds", seconds}, {"limit", max_seconds}});
    }
    for (size_t i = 0; i < samples.size(); i++) {
        if (!std::isfinite(samples[i])) {
            throw MossError(code::invalid_argument,
                            "sample " + std::to_string(i) + " of the speech is not a finite number",
                            {{"option", "samples"}, {"index", static_cast<double>(i)}});
        }
    }
}

Heard hear(const Model::Parts & parts, Runner & runner, Listener::State & state, const std::vector<float> & samples) {
    Heard heard;
    state.clear();
    parts.listener->push(runner, state, samples.data(), samples.size(), heard);
    parts.listener->finish(runner, state, heard);
    return heard;
}

HeardSounds heard_sounds(const Model::Parts & parts, const Heard & heard, size_t samples,
                         const std::atomic<bool> & cancel) {
    const double frame_seconds = parts.info.frame_seconds;
    std::vector<int32_t> path;
    append_likeliest(heard.encoder.logits, static_cast<int>(parts.info.units.size()), path);
    HeardSounds sounds;
    sounds.units = ctc_greedy(path, frame_seconds, static_cast<double>(samples) / parts.info.input_sample_rate);
    if (parts.syllables) {
        auto mandarin = parts.syllables->hear(heard.encoder.logits, heard.tone.logits, frame_seconds, &cancel);
        sounds.pinyin = std::move(mandarin.pinyin);
        sounds.mandarin = mandarin.mandarin;
    }
    return sounds;
}

HeardSounds hear_units(const Model::Parts & parts, Runner & runner, const std::vector<float> & samples,
                       const Progress & progress) {
    const double seconds = static_cast<double>(samples.size()) / parts.info.input_sample_rate;
    std::vector<int32_t> path;
    parts.listener->hear(runner, samples.data(), samples.size(), {}, [&](EncoderFrames && frames, int64_t total) {
        append_likeliest(frames.logits, static_cast<int>(parts.info.units.size()), path);
        if (progress) {
            progress(seconds * static_cast<double>(path.size()) / static_cast<double>(total));
        }
    });
    HeardSounds sounds;
    sounds.units = ctc_greedy(path, parts.info.frame_seconds, seconds);
    return sounds;
}

std::vector<int32_t> write_down(const Model::Parts & parts, Runner & runner, Lm::State & context, const Heard & heard,
                                const Sampling & sampling, int max_tokens) {
    Rows rows(parts, runner, context);
    rows.push_text(parts.rows.transcribe_prefix, Tails::none);
    rows.push_speech(heard.rows);
    Sampler sampler(sampling);
    std::vector<int32_t> text;
    rows.write(rows.push_text(parts.rows.assistant_prefix, Tails::text), sampler, max_tokens,
               [&](int32_t id) { text.push_back(id); });
    return text;
}

Turn::Turn(const Model::Parts & parts, Runner & runner, Listener::State * listener, Lm::State & context,
           const Request & request, const Receiver & receiver, uint64_t seed)
    : parts_(parts), runner_(runner), listener_(listener), context_(context), request_(request), receiver_(receiver),
      spoken_(request.output != Output::text), sampling_(request.sampling.value_or(parts.info.sampling)), seed_(seed),
      rows_(parts, runner, context) {
    check();
    if (spoken_) {
        speaker_.emplace(parts, runner, request.speaking, seed, request.max_seconds);
    }
}

void Turn::check() const {
    if (request_.samples.empty() == request_.text.empty()) {
        throw MossError(request_.text.empty() ? code::audio_length : code::invalid_argument,
                        request_.text.empty() ? "the request is empty" : "the request is both speech and text");
    }
    const bool speech = !request_.samples.empty();
    if (speech) {
        check_speech(parts_, request_.samples, parts_.info.max_input_seconds);
    }
    const int64_t input =
        speech ? parts_.speech_rows(request_.samples.size()) : static_cast<int64_t>(request_.text.size());
    const int64_t needed = input + parts_.prompt_overhead() + parts_.reply_reserve();
    const int64_t free = context_.n_ctx() - context_.length();
    if (needed > free) {
        const ErrorDetails details{{"rows", static_cast<double>(needed)},
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
    clock_.measure(timings_.lm_ms, [&] { rows_.push_text(parts_.rows.turn_end, Tails::none); });
}

void Turn::note(const std::function<std::vector<int32_t>(const Heard &)> & write) {
    last_.heard_text = clock_.measure(timings_.lm_ms, [&] { return write(heard_); });
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
        clock_.measure(timings_.encode_ms, [&] { heard_ = hear(parts_, runner_, *listener_, request_.samples); });
        heard_sounds_ = heard_sounds(parts_, heard_, request_.samples.size(), runner_.cancel);
        timings_.input_seconds = static_cast<double>(request_.samples.size()) / parts_.info.input_sample_rate;
    }
    return clock_.measure(timings_.prefill_ms, [&] {
        rows_.push_text(parts_.rows.user_prefix, Tails::none);
        if (!request_.samples.empty()) {
            rows_.push_speech(heard_.rows);
        } else {
            rows_.push_text(request_.text, Tails::none);
        }
        if (!spoken_) {
            return rows_.push_text(parts_.rows.assistant_prefix, Tails::text);
        }
        rows_.push_text(parts_.rows.assistant_prefix, Tails::none);
        return rows_.push(parts_.vocabulary.text.sosp, parts_.vocabulary.audio.pad, Tails::audio);
    });
}

/// Draws units until eosp, and speaks them while it goes on. The text channel is modality_pad all the while.
LmLogits Turn::speak(LmLogits logits) {
    const int modality_pad = parts_.vocabulary.text.modality_pad;
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
        if (speaker_->full() || rows_.left() <= reserve) {
            finish_reason_ = speaker_->full() ? FinishReason::max_seconds : FinishReason::context_length;
            break;
        }
        const int32_t unit = rows_.draw_unit(sampler, logits, may_end);
        if (unit == eosp) {
            break;
        }
        may_end = true;
        units.push_back(unit);
        clock_.measure(timings_.decode_ms, [&] { speaker_->push(unit, audio); });
        if (!audio.empty()) {
            deliver_audio();
        }
        logits = clock_.measure(timings_.lm_ms, [&] { return rows_.push(modality_pad, unit, Tails::audio); });
    }
    clock_.measure(timings_.decode_ms, [&] { speaker_->finish(audio); });
    if (speaker_->cut()) {
        finish_reason_ = FinishReason::max_seconds;
    }
    deliver_audio();
    timings_.reply_seconds = speaker_->seconds();
    return clock_.measure(timings_.lm_ms, [&] { return rows_.push(modality_pad, eosp, Tails::text); });
}

/// The text: what was said, or the reply itself.
void Turn::write(LmLogits logits) {
    Sampling sampling = sampling_;
    sampling.seed = ~seed_;
    Sampler sampler(sampling);
    const FinishReason reason = clock_.measure(timings_.lm_ms, [&] {
        return rows_.write(std::move(logits), sampler, request_.max_tokens, [&](int32_t id) {
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
