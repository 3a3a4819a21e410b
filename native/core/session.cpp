#include "core/turn/text_turn.h"
#include "core/turn/transcriber.h"
#include "core/turn/turn.h"
#include "core/turn/turns.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

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
        const char * expected = "one value for each unit: speeds of 0.25 to 4, pitches of -12 to 12, gains of 0 to 10";
        throw MossError(code::invalid_argument, std::string("prosody: expected ") + expected,
                        {{"option", "prosody"}, {"expected", expected}});
    }
}

void check_units(const std::vector<int32_t> & units, size_t unit_count) {
    if (units.empty() || units.size() > max_spoken_units) {
        throw MossError(code::invalid_argument, "units: expected 1 to " + std::to_string(max_spoken_units) + " units",
                        {{"option", "units"}, {"found", static_cast<double>(units.size())}});
    }
    for (const int32_t unit : units) {
        if (unit < 1 || unit >= static_cast<int32_t>(unit_count)) {
            throw MossError(code::invalid_argument, "units: expected ids from 1 to " + std::to_string(unit_count - 1),
                            {{"option", "units"}, {"found", static_cast<double>(unit)}});
        }
    }
}

} // namespace

struct Session::State {
    /// A turn that is heard while the user speaks.
    struct Fed {
        const Request request;
        const uint64_t seed;
        Turn turn;

        Fed(State & state, const Request & how, uint64_t drawn)
            : request(how), seed(drawn),
              turn(state.parts(), state.runner, &state.hearing.state(), *state.turns, request, seed) {}
    };

    std::shared_ptr<const Model> model;
    Random seeds;
    Runner runner;
    std::optional<Lm::State> context; // the conversation
    Hearing hearing;
    std::unique_ptr<Transcriber> transcriber; // made when first needed
    std::vector<int32_t> ids;                 // ids in the KV cache of an imported language model
    std::optional<Turns> turns;               // only set with a context
    std::unique_ptr<Fed> fed;                 // only set between begin() and finish()
    /// The reply of a finish() that was the last call, which shorten() can shorten.
    struct Last {
        ReplyInContext reply;
        int max_tokens;
        bool finished; ///< false if it was cancelled
    };
    std::optional<Last> last;

    State(std::shared_ptr<const Model> loaded, uint64_t seed, bool slide)
        : model(std::move(loaded)), seeds(seed), runner(parts().pools), hearing(parts(), runner) {
        if (parts().lm) {
            context.emplace(*parts().lm, parts().info.n_ctx, parts().kv_type, parts().kv_memory);
            turns.emplace(*context, slide && !parts().lm->config().text_only());
        }
    }

    const Model::Parts & parts() const { return model->parts(); }

    /// Forgets what shorten() could shorten, and removes a turn whose generation was cancelled.
    void forget_last() {
        if (last && !last->finished) {
            truncate(last->reply.turn_start);
        }
        last.reset();
    }

    void truncate(int length) {
        context->truncate(length);
        ids.resize(std::min(ids.size(), static_cast<size_t>(length)));
    }

    uint64_t seed(std::optional<uint64_t> given) { return given ? *given : seeds.next(); }

    Transcriber & transcribing() {
        if (!transcriber) {
            transcriber = make_transcriber(parts(), runner, hearing);
        }
        return *transcriber;
    }

    void require_lm() const {
        if (!parts().lm) {
            throw MossError(code::unsupported, "this model has no language model: it cannot answer");
        }
    }

    void require_ears() const {
        if (!parts().listener || parts().listener->aligner() == nullptr) {
            throw MossError(code::unsupported, "this model has no encoder and aligner: it cannot hear");
        }
    }

    /// The function that transcribes a turn's speech for its last chunk; empty if the request does not ask for it.
    std::function<std::vector<int32_t>(const Heard &)> transcript_of_turn(const Request & request, uint64_t turn_seed) {
        if (!request.transcribe) {
            return {};
        }
        return [this, &request, turn_seed](const Heard & heard) {
            // A model that can answer speech has an aligner and a language model, so its transcriber is an
            // LmTranscriber.
            return dynamic_cast<LmTranscriber &>(transcribing())
                .text_of(heard, request.sampling.value_or(parts().info.sampling), turn_seed, request.max_tokens);
        };
    }

    /// Runs `body`, which computes a turn. If it throws, the context is truncated to its `start()` positions before the
    /// turn.
    template <class Start, class Body>
    void undone_if_it_fails(Start && start, Body && body) {
        try {
            body();
        } catch (...) {
            const int length = start(); // the turn may have moved up meanwhile
            fed.reset();
            truncate(length);
            throw;
        }
    }
};

Session::Session(std::shared_ptr<const Model> model, std::optional<uint64_t> seed, bool slide)
    : state_(std::make_unique<State>(std::move(model), seed ? *seed : random_seed(), slide)) {}

Session::~Session() = default;
Session::Session(Session &&) noexcept = default;
Session & Session::operator=(Session &&) noexcept = default;

bool Session::generate(const Request & request, const Receiver & receiver, CancelToken & cancel) {
    State & state = *state_;
    abandon();
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    const Model::Parts & parts = state.parts();
    const std::vector<float> & samples = request.samples;
    state.require_lm();
    if (!samples.empty()) {
        state.require_ears();
    }
    const uint64_t seed = state.seed(request.speaking.seed);
    if (parts.lm->config().text_only()) {
        TextTurn turn(parts, state.runner, {*state.turns, state.ids}, request, receiver, seed);
        state.undone_if_it_fails([&] { return turn.kept(); }, [&] { turn.run(); });
        state.turns->add(turn.kept());
        return true;
    }
    if (samples.empty() == request.text.empty()) {
        throw MossError(samples.empty() ? code::audio_length : code::invalid_argument,
                        samples.empty() ? "the request is empty" : "the request holds both speech and text");
    }
    Turn turn(parts, state.runner, samples.empty() ? nullptr : &state.hearing.state(), *state.turns, request, seed);
    bool answered = true;
    const auto start = [&] { return turn.start(); };
    state.undone_if_it_fails(start, [&] {
        if (samples.empty()) {
            turn.begin(static_cast<int64_t>(request.text.size()));
            turn.read(request.text);
            turn.finish(receiver);
            return;
        }
        const std::optional<Span> speech = turn.find_speech(samples, request.vad);
        if (!speech) {
            turn.finish_unheard(receiver);
            answered = false;
            return;
        }
        turn.begin(parts.speech_positions(speech->size()));
        turn.feed(samples.data() + speech->begin, speech->size());
        turn.finish(receiver, state.transcript_of_turn(request, seed));
    });
    if (answered) {
        state.turns->add(turn.start());
    }
    return answered;
}

void Session::begin(const Request & request, CancelToken & cancel) {
    State & state = *state_;
    abandon();
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    state.require_lm();
    state.require_ears();
    if (!request.samples.empty() || !request.text.empty()) {
        throw MossError(code::invalid_argument, "a turn that is to be fed must begin without speech and text");
    }
    const auto start = [&state, before = length()] { return state.fed ? state.fed->turn.start() : before; };
    state.undone_if_it_fails(start, [&] {
        state.fed = std::make_unique<State::Fed>(state, request, state.seed(request.speaking.seed));
        state.fed->turn.begin();
    });
}

void Session::feed(const std::vector<float> & samples, CancelToken & cancel) {
    State & state = *state_;
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    Turn & turn = fed_turn();
    const auto start = [&] { return turn.start(); };
    state.undone_if_it_fails(start, [&] {
        if (!samples.empty()) {
            check_samples(samples);
            turn.feed(samples.data(), samples.size());
        }
    });
}

float Session::completeness(CancelToken & cancel) {
    State & state = *state_;
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    Turn & turn = fed_turn();
    float probability = 0;
    state.undone_if_it_fails([&] { return turn.start(); }, [&] { probability = turn.completeness(); });
    return probability;
}

void Session::finish(const Receiver & receiver, CancelToken & cancel) {
    State & state = *state_;
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    Turn & turn = fed_turn();
    const int start = turn.start(), max_tokens = state.fed->request.max_tokens;
    try {
        turn.restart_clock();
        turn.finish(receiver, state.transcript_of_turn(state.fed->request, state.fed->seed));
        state.last = State::Last{*turn.reply(), max_tokens, true};
        state.turns->add(start);
        state.fed.reset();
    } catch (...) {
        const std::optional<ReplyInContext> reply = turn.reply();
        state.fed.reset();
        if (cancel.cancelled()) { // before the reply has begun, there are no units, so shorten() removes the turn
            state.last = State::Last{reply.value_or(ReplyInContext{start, start, true, 0}), max_tokens, false};
        } else {
            state.truncate(start);
        }
        throw;
    }
}

std::vector<int32_t> Session::shorten(size_t units, const std::optional<std::vector<int32_t>> & text,
                                      CancelToken & cancel) {
    State & state = *state_;
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    require_argument(state.last.has_value(), "there is no reply that could be shortened");
    State::Last last = *std::exchange(state.last, std::nullopt);
    const int start = last.reply.turn_start;
    if (last.finished) {
        state.turns->take_last();
    }
    std::vector<int32_t> left;
    const auto before = [start] { return start; };
    state.undone_if_it_fails(before, [&] {
        left = shorten_reply(state.parts(), state.runner, *state.context, last.reply, units, text, last.max_tokens);
    });
    if (state.context->length() > start) {
        state.turns->add(start);
        last.finished = true;
        state.last = last;
    }
    return left;
}

void Session::abandon() {
    state_->forget_last();
    if (state_->fed) {
        const int start = state_->fed->turn.start();
        state_->fed.reset();
        state_->truncate(start);
    }
}

/// The turn that is being fed.
Turn & Session::fed_turn() {
    if (!state_->fed) {
        throw MossError(code::invalid_argument, "begin() must be called before a turn can be fed or finished");
    }
    return state_->fed->turn;
}

void Session::undo() {
    abandon();
    if (state_->turns && !state_->turns->starts().empty()) {
        state_->truncate(state_->turns->take_last());
    }
}

void Session::speak(const std::vector<int32_t> & units, const Speaking & speaking, const Receiver & receiver,
                    CancelToken & cancel, const std::vector<UnitProsody> & prosody) {
    State & state = *state_;
    abandon();
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    check_prosody(prosody, units.size());
    const ModelInfo & info = state.parts().info;
    if (info.voice_text.empty()) { // an imported voice checks its ids itself
        check_units(units, info.units.size());
    }
    Clock clock;
    Timings timings;
    constexpr double no_limit = 1e9; // seconds
    Synthesizer synthesizer(state.parts(), state.runner, speaking, state.seed(speaking.seed), no_limit);
    Chunk chunk;
    const auto deliver = [&] {
        while (clock.measure(timings.decode_ms, [&] { return synthesizer.next(chunk.audio); })) {
            timings.first_audio_ms = timings.first_audio_ms == 0 ? clock.now() : timings.first_audio_ms;
            clock.pause([&] { receiver(std::move(chunk)); });
            chunk = {};
        }
    };
    for (size_t i = 0; i < units.size(); i++) {
        chunk.units.push_back(units[i]);
        clock.measure(timings.decode_ms,
                      [&] { synthesizer.push(units[i], prosody.empty() ? UnitProsody() : prosody[i]); });
        deliver();
    }
    clock.measure(timings.decode_ms, [&] { synthesizer.finish(); });
    deliver();
    timings.total_ms = clock.now();
    timings.reply_seconds = synthesizer.seconds();
    chunk.timings = timings;
    receiver(std::move(chunk));
}

HeardSounds Session::encode(const std::vector<float> & samples, CancelToken & cancel, const Progress & progress) {
    State & state = *state_;
    abandon();
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    return state.hearing.encode(samples, progress);
}

void Session::features(const std::vector<float> & samples, const Receiver & receiver, CancelToken & cancel) {
    State & state = *state_;
    abandon();
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
        deliver(std::move(state.hearing.hear(samples, {0, samples.size()}).encoder.hidden), {});
    }
    timings.encode_ms = timings.total_ms = clock.now();
    timings.input_seconds = static_cast<double>(samples.size()) / parts.info.input_sample_rate;
    deliver({}, timings);
}

Transcript Session::transcribe(const std::vector<float> & samples, const Transcribing & options, CancelToken & cancel,
                               const Progress & progress) {
    State & state = *state_;
    abandon();
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    return state.transcribing().transcribe(samples, options, state.seed(options.seed), progress);
}

int Session::length() const {
    if (state_->last && !state_->last->finished) {
        return state_->last->reply.turn_start;
    }
    return state_->context ? state_->context->length() : 0;
}

size_t Session::bytes() const {
    const State & state = *state_;
    return state.runner.bytes() + (state.context ? state.context->bytes() : 0) +
           (state.transcriber ? state.transcriber->bytes() : 0) + state.hearing.bytes();
}

void Session::reset() {
    abandon();
    if (state_->context) {
        state_->truncate(0);
        state_->turns->clear();
    }
}

void Session::recall(const PastTurn & past, CancelToken & cancel) {
    State & state = *state_;
    abandon();
    const CancelToken::Attach attach(cancel, state.runner.cancel);
    state.require_lm();
    const Model::Parts & parts = state.parts();
    if (parts.lm->config().text_only()) {
        throw MossError(code::unsupported, "an imported language model is given the whole conversation at each turn");
    }
    if (!past.units.empty()) {
        check_units(past.units, parts.info.units.size());
    }
    const TurnPositions positions(parts.vocabulary);
    Positions turn = positions.text(parts.turn_template.user_prefix);
    turn += positions.text(past.text);
    turn += positions.text(parts.turn_template.assistant_prefix);
    if (!past.units.empty()) {
        turn += positions.speech_start();
        for (const int32_t unit : past.units) {
            turn += positions.unit(unit);
        }
        turn += positions.speech_end();
    }
    turn += positions.text(past.reply);
    turn += positions.text(parts.turn_template.turn_end);
    state.turns->make_room(turn.count(), length());
    const int start = length();
    LmContext(parts, state.runner, *state.context).append(turn, Tails::none);
    state.turns->add(start);
}

Snapshot Session::snapshot() {
    State & state = *state_;
    abandon();
    Snapshot snapshot;
    snapshot.random = state.seeds.state();
    snapshot.ids = state.ids;
    if (state.context) {
        snapshot.length = state.context->length();
        snapshot.turns = state.turns->starts();
        const KvType type = state.context->type();
        snapshot.type = type == KvType::f32 ? "f32" : type == KvType::f16 ? "f16" : "q8";
        snapshot.position_bytes = state.context->position_bytes();
    }
    return snapshot;
}

void Session::restore(const Snapshot & snapshot) {
    State & state = *state_;
    reset();
    const bool imported = state.context && state.parts().lm->config().text_only();
    const std::vector<int32_t> & turns = snapshot.turns;
    const bool fits = snapshot.length >= 0 && (state.context || (snapshot.length == 0 && turns.empty())) &&
                      snapshot.ids.size() == (imported ? static_cast<size_t>(snapshot.length) : 0) &&
                      std::is_sorted(turns.begin(), turns.end()) &&
                      (turns.empty() || (turns.front() >= 0 && turns.back() <= snapshot.length));
    require_argument(fits, "the snapshot is not one of this model's conversations");
    if (state.context) {
        state.context->extend(snapshot.length);
        for (const int32_t start : turns) {
            state.turns->add(start);
        }
    }
    state.ids = snapshot.ids;
    state.seeds = Random(snapshot.random);
}

std::vector<uint8_t> Session::read_context(size_t block, int begin, int count) const {
    state_->require_lm();
    return state_->context->read(block, begin, count);
}

void Session::write_context(size_t block, int begin, const std::vector<uint8_t> & bytes) {
    state_->require_lm();
    state_->context->write(block, begin, bytes);
}

Dropped Session::dropped() const {
    return state_->turns ? state_->turns->dropped() : Dropped();
}

} // namespace moss
