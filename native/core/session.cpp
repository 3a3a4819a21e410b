#include "core/turn/text_turn.h"
#include "core/turn/transcribe.h"
#include "core/turn/turn.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace moss {

namespace {

constexpr size_t max_spoken_units = 65536;

uint64_t random_seed() {
    std::random_device device;
    return (static_cast<uint64_t>(device()) << 32) | device();
}

void check_prosody(const std::vector<UnitProsody> & prosody, size_t units) {
    const auto fits = [](const UnitProsody & p) {
        return p.speed >= 0.25F && p.speed <= 4.0F && std::abs(p.pitch) <= 12.0F && p.gain >= 0.0F && p.gain <= 10.0F;
    };
    if ((!prosody.empty() && prosody.size() != units) || !std::all_of(prosody.begin(), prosody.end(), fits)) {
        const char * expected = "one a unit: speeds of 0.25 to 4, pitches of -12 to 12, gains of 0 to 10";
        throw MossError(code::invalid_argument, std::string("prosody: expected ") + expected,
                        {{"option", "prosody"}, {"expected", expected}});
    }
}

/// Reads a sentence's ids with an imported voice.
void speak_voice(const VitsVoice & voice, Runner & runner, const std::vector<int32_t> & ids, const Speaking & speaking,
                 uint64_t seed, const Receiver & receiver, const std::vector<UnitProsody> & prosody) {
    VoiceOptions options = VoiceOptions::of(voice.config());
    options.speaker = speaking.voice == -1 ? options.speaker : speaking.voice;
    options.speed = speaking.speed;
    options.noise_scale = speaking.noise_scale.value_or(options.noise_scale);
    options.noise_w = speaking.noise_w.value_or(options.noise_w);
    options.length_scale = speaking.length_scale.value_or(options.length_scale);
    options.seed = seed;
    Clock clock;
    Timings timings;
    VitsVoice::Stream stream =
        clock.measure(timings.decode_ms, [&] { return VitsVoice::Stream(voice, runner, ids, options, prosody); });
    size_t samples = 0;
    Chunk chunk;
    chunk.units = ids;
    while (true) {
        chunk.audio = clock.measure(timings.decode_ms, [&] { return stream.next(); });
        if (chunk.audio.empty()) {
            break;
        }
        if (samples == 0) {
            timings.first_audio_ms = clock.now();
        }
        samples += chunk.audio.size();
        clock.pause([&] { receiver(std::move(chunk)); });
        chunk = {};
    }
    timings.total_ms = clock.now();
    timings.reply_seconds = static_cast<double>(samples) / voice.config().sample_rate;
    chunk.timings = timings;
    receiver(std::move(chunk));
}

} // namespace

struct Session::State {
    std::shared_ptr<const Model> model;
    Random seeds;
    Runner runner;
    std::optional<Lm::State> context;              // the conversation
    std::optional<Lm::State> scratch;              // of transcriptions; made when first needed
    std::optional<Listener::State> listener_state; // made when first needed
    std::vector<int32_t> ids;                      // of the context's positions, in an imported language model
    std::vector<int> turns;                        // lengths of the context before each turn that was finished

    State(std::shared_ptr<const Model> loaded, uint64_t seed)
        : model(std::move(loaded)), seeds(seed), runner(parts().pools) {
        if (parts().lm) {
            const bool imported = parts().lm->config().text_only();
            context.emplace(*parts().lm, parts().info.n_ctx, imported ? GGML_TYPE_F16 : GGML_TYPE_F32);
        }
    }

    const Model::Parts & parts() const { return model->parts(); }

    void truncate(int length) {
        context->truncate(length);
        ids.resize(std::min(ids.size(), static_cast<size_t>(length)));
    }

    uint64_t seed(std::optional<uint64_t> given) { return given ? *given : seeds.next(); }

    Listener::State & listener() {
        if (!listener_state) {
            listener_state.emplace(*parts().listener, parts().chunk_size());
        }
        return *listener_state;
    }

    std::vector<int32_t> transcribe(const Heard & heard, Sampling sampling, uint64_t seed, int max_tokens) {
        if (!scratch) {
            scratch.emplace(*parts().lm, parts().info.n_ctx);
        }
        scratch->truncate(0);
        sampling.seed = seed;
        return moss::transcribe(parts(), runner, *scratch, heard, sampling, max_tokens);
    }
};

Session::Session(std::shared_ptr<const Model> model, std::optional<uint64_t> seed)
    : state_(std::make_unique<State>(std::move(model), seed ? *seed : random_seed())) {}

Session::~Session() = default;
Session::Session(Session &&) noexcept = default;
Session & Session::operator=(Session &&) noexcept = default;

bool Session::generate(const Request & request, const Receiver & receiver, CancelToken & cancel) {
    State & state = *state_;
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    const Model::Parts & parts = state.parts();
    if (!parts.lm) {
        throw MossError(code::unsupported, "this model has no language model: it cannot answer");
    }
    if (!request.samples.empty() && (!parts.listener || parts.listener->aligner() == nullptr)) {
        throw MossError(code::unsupported, "this model has no encoder and aligner: it cannot hear");
    }
    const uint64_t seed = state.seed(request.speaking.seed);
    int start = length(); // of the turn
    try {
        if (parts.lm->config().text_only()) {
            TextTurn turn(parts, state.runner, {*state.context, state.ids}, request, receiver, seed);
            start = turn.kept();
            turn.run();
            state.turns.push_back(start);
            return true;
        }
        Listener::State * listener = request.samples.empty() ? nullptr : &state.listener();
        Turn turn(parts, state.runner, listener, *state.context, request, receiver, seed);
        if (!turn.spoken_to()) {
            turn.close();
            return false;
        }
        turn.run();
        if (request.transcribe && listener != nullptr) {
            turn.add_transcript([&](const Heard & heard) {
                return state.transcribe(heard, request.sampling.value_or(parts.info.sampling), seed,
                                        request.max_tokens);
            });
        }
        turn.close();
        state.turns.push_back(start);
        return true;
    } catch (...) {
        state.truncate(start);
        throw;
    }
}

void Session::undo() {
    if (!state_->turns.empty()) {
        state_->truncate(state_->turns.back());
        state_->turns.pop_back();
    }
}

void Session::speak(const std::vector<int32_t> & units, const Speaking & speaking, const Receiver & receiver,
                    CancelToken & cancel, const std::vector<UnitProsody> & prosody) {
    State & state = *state_;
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    check_prosody(prosody, units.size());
    if (state.parts().voice && !state.parts().decoder) {
        speak_voice(*state.parts().voice, state.runner, units, speaking, state.seed(speaking.seed), receiver, prosody);
        return;
    }
    if (units.empty() || units.size() > max_spoken_units) {
        throw MossError(code::invalid_argument, "units: expected 1 to " + std::to_string(max_spoken_units) + " of them",
                        {{"option", "units"}, {"found", static_cast<double>(units.size())}});
    }
    const auto unit_count = static_cast<int32_t>(state.parts().info.units.size());
    for (const int32_t unit : units) {
        if (unit < 1 || unit >= unit_count) {
            throw MossError(code::invalid_argument, "units: expected ids from 1 to " + std::to_string(unit_count - 1),
                            {{"option", "units"}, {"found", static_cast<double>(unit)}});
        }
    }
    Clock clock;
    Timings timings;
    constexpr double no_limit = 1e9; // seconds
    Synthesizer synthesizer(state.parts(), state.runner, speaking, state.seed(speaking.seed), no_limit);
    std::vector<float> audio;
    std::vector<int32_t> spoken;
    const auto deliver = [&](std::optional<Timings> at_the_end) {
        if (timings.first_audio_ms == 0) {
            timings.first_audio_ms = clock.now();
        }
        Chunk chunk;
        chunk.audio.swap(audio);
        chunk.units.swap(spoken);
        chunk.timings = at_the_end;
        clock.pause([&] { receiver(std::move(chunk)); });
    };
    for (size_t i = 0; i < units.size(); i++) {
        const UnitProsody how = prosody.empty() ? UnitProsody() : prosody[i];
        spoken.push_back(units[i]);
        clock.measure(timings.decode_ms, [&] { synthesizer.push(units[i], audio, how); });
        if (!audio.empty()) {
            deliver({});
        }
    }
    clock.measure(timings.decode_ms, [&] { synthesizer.finish(audio); });
    timings.total_ms = clock.now();
    timings.reply_seconds = synthesizer.seconds();
    deliver(timings);
}

HeardSounds Session::encode(const std::vector<float> & samples, CancelToken & cancel, const Progress & progress) {
    State & state = *state_;
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    const Model::Parts & parts = state.parts();
    if (parts.listener && parts.info.units.empty()) {
        throw MossError(code::unsupported,
                        "this encoder has no CTC head: it hears, but has no units for what it hears");
    }
    check_speech(parts, samples, parts.listener ? parts.encode_seconds() : 0);
    if (parts.hears_in_windows()) {
        return hear_units(parts, state.runner, samples, progress);
    }
    const Span whole{0, samples.size()};
    return heard_sounds(parts, hear(parts, state.runner, state.listener(), samples, whole), whole, state.runner.cancel);
}

void Session::features(const std::vector<float> & samples, const Receiver & receiver, CancelToken & cancel) {
    State & state = *state_;
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    const Model::Parts & parts = state.parts();
    check_speech(parts, samples, parts.listener ? parts.encode_seconds() : 0);
    Clock clock;
    Timings timings;
    const auto deliver = [&](std::vector<float> && frames, std::optional<Timings> at_the_end) {
        Chunk chunk;
        chunk.features = std::move(frames);
        chunk.timings = at_the_end;
        clock.pause([&] { receiver(std::move(chunk)); });
    };
    if (parts.hears_in_windows()) {
        parts.listener->hear(state.runner, samples.data(), samples.size(), {},
                             [&](EncoderFrames && frames, int64_t) { deliver(std::move(frames.hidden), {}); });
    } else {
        deliver(std::move(hear(parts, state.runner, state.listener(), samples, {0, samples.size()}).encoder.hidden),
                {});
    }
    timings.encode_ms = timings.total_ms = clock.now();
    timings.input_seconds = static_cast<double>(samples.size()) / parts.info.input_sample_rate;
    deliver({}, timings);
}

Transcript Session::transcribe(const std::vector<float> & samples, const Transcribing & options, CancelToken & cancel,
                               const Progress & progress) {
    State & state = *state_;
    const Model::Parts & parts = state.parts();
    if (!parts.lm && parts.info.ctc) {
        return {encode(samples, cancel, progress), {}};
    }
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    if (!parts.lm || !parts.listener || parts.listener->aligner() == nullptr) {
        throw MossError(code::unsupported,
                        "this model has no encoder, aligner and language model: it cannot transcribe speech");
    }
    const Sampling sampling = options.sampling.value_or(parts.info.sampling);
    const uint64_t seed = state.seed(options.seed);
    const double rate = parts.info.input_sample_rate;
    const std::vector<Span> utterances = utterances_of(parts, state.runner, samples, options.vad);
    Transcript transcript;
    transcript.sounds.no_speech = utterances.empty();
    for (const Span & span : utterances) {
        const Heard heard = hear(parts, state.runner, state.listener(), samples, span);
        append_sounds(transcript.sounds, heard_sounds(parts, heard, span, state.runner.cancel));
        transcript.segments.push_back({static_cast<float>(static_cast<double>(span.begin) / rate),
                                       static_cast<float>(static_cast<double>(span.end) / rate),
                                       state.transcribe(heard, sampling, seed, options.max_tokens)});
        if (progress) {
            progress(static_cast<double>(span.end) / rate);
        }
    }
    return transcript;
}

int Session::length() const {
    return state_->context ? state_->context->length() : 0;
}

size_t Session::bytes() const {
    const State & state = *state_;
    return state.runner.bytes() + (state.context ? state.context->bytes() : 0) +
           (state.scratch ? state.scratch->bytes() : 0) + (state.listener_state ? state.listener_state->bytes() : 0);
}

void Session::reset() {
    if (state_->context) {
        state_->truncate(0);
    }
    state_->turns.clear();
}

} // namespace moss
