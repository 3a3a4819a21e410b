#include "core/probe/steps.h"

#include "core/hearing/hearing.h"

#include <algorithm>

namespace moss {

namespace {

constexpr size_t piece_size = 128; // positions whose logits are in memory at once

void check_ids(const char * option, const std::vector<int32_t> & ids, size_t least, int vocabulary) {
    if (ids.size() < least) {
        throw MossError(code::invalid_argument,
                        std::string(option) + ": expected at least " + std::to_string(least) +
                            (least == 1 ? " id" : " ids"),
                        {{"option", option}, {"found", static_cast<double>(ids.size())}});
    }
    for (const int32_t id : ids) {
        if (id < 0 || id >= vocabulary) {
            throw MossError(code::invalid_argument,
                            std::string(option) + ": expected ids below " + std::to_string(vocabulary),
                            {{"option", option}, {"found", static_cast<double>(id)}});
        }
    }
}

/// Appends positions in pieces, each with its targets if `tails` predicts any.
void append(std::vector<Step> & steps, const Positions & positions, Tails tails = Tails::none,
            const std::vector<int32_t> & targets = {}) {
    const size_t count = positions.text.size();
    for (size_t begin = 0; begin < count; begin += piece_size) {
        const size_t end = std::min(begin + piece_size, count);
        const auto part = [&](const std::vector<int32_t> & all) {
            const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
            return all.empty() ? all : std::vector<int32_t>(first, first + static_cast<std::ptrdiff_t>(end - begin));
        };
        steps.push_back({{part(positions.text), part(positions.audio)}, {}, tails, part(targets)});
    }
}

/// Steps in which each text id predicts the next one.
std::vector<Step> text_steps(const LmConfig & config, const std::vector<int32_t> & ids) {
    check_ids("text", ids, 2, config.text_vocab_size);
    std::vector<Step> steps;
    append(steps, {{ids.begin(), ids.end() - 1}, {}}, Tails::text, {ids.begin() + 1, ids.end()});
    return steps;
}

/// Appends the user's words: text ids, or the embeddings of speech.
void append_question(std::vector<Step> & steps, const Model::Parts & parts, Runner & runner,
                     const Exercise & exercise) {
    if (exercise.samples.empty()) {
        append(steps, TurnPositions(parts.vocabulary).text(exercise.text));
        return;
    }
    if (!parts.listener || parts.listener->aligner() == nullptr) {
        throw MossError(code::unsupported, "this model has no encoder and aligner: it cannot hear");
    }
    check_speech(parts, exercise.samples, parts.info.max_turn_seconds);
    Listener::State state(*parts.listener, parts.chunk_size());
    Step step;
    step.embeddings = hear(parts, runner, state, exercise.samples, {0, exercise.samples.size()}).embeddings;
    steps.push_back(std::move(step));
}

std::vector<Step> turn_steps(const Model::Parts & parts, Runner & runner, const Exercise & exercise) {
    const LmConfig & config = parts.lm->config();
    check_ids("text", exercise.text, exercise.samples.empty() ? 1 : 0, config.text_vocab_size);
    check_ids("units", exercise.units, 0, config.audio_vocab_size);
    check_ids("reply", exercise.reply, 0, config.text_vocab_size);
    const TurnPositions positions(parts.vocabulary);
    std::vector<Step> steps;
    append(steps, positions.text(parts.turn_template.user_prefix));
    append_question(steps, parts, runner, exercise);

    std::vector<int32_t> prefix = parts.turn_template.assistant_prefix;
    Positions text; // the position that predicts the reply's first text id, then the text ids
    if (exercise.units.empty()) {
        text = positions.text({prefix.back()});
        prefix.pop_back();
        append(steps, positions.text(prefix));
    } else {
        Positions speech = positions.speech_start();
        for (const int32_t unit : exercise.units) {
            speech += positions.unit(unit);
        }
        std::vector<int32_t> next = exercise.units;
        next.push_back(parts.vocabulary.audio.eosp);
        append(steps, positions.text(prefix));
        append(steps, speech, Tails::audio, next);
        text = positions.speech_end();
    }
    text += positions.text(exercise.reply);
    std::vector<int32_t> next = exercise.reply;
    next.push_back(parts.vocabulary.text.im_end);
    append(steps, text, Tails::text, next);
    return steps;
}

} // namespace

std::vector<Step> steps_of(const Model::Parts & parts, Runner & runner, const Exercise & exercise) {
    const LmConfig & config = parts.lm->config();
    return config.text_only() ? text_steps(config, exercise.text) : turn_steps(parts, runner, exercise);
}

LmLogits push(const Lm & lm, Runner & runner, Lm::State & state, const Step & step, bool all_positions) {
    const Tails tails =
        lm.config().text_only() && !all_positions ? Tails::none : step.tails; // skips the large output layer
    if (!step.embeddings.empty()) {
        const auto width = static_cast<size_t>(lm.config().embedding_length);
        return lm.push(runner, state, step.embeddings.data(), static_cast<int>(step.embeddings.size() / width), tails,
                       all_positions);
    }
    return lm.push(runner, state, step.positions.text.data(), step.positions.audio.data(), step.positions.count(),
                   tails, all_positions);
}

} // namespace moss
