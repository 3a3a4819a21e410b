#include "core/steps.h"

#include "core/turn.h"

#include <algorithm>

namespace moss {

namespace {

constexpr size_t piece_rows = 128; // logits of so many rows are in memory at once

void check_ids(const char * option, const std::vector<int32_t> & ids, size_t least, int vocabulary) {
    if (ids.size() < least) {
        throw MossError(code::invalid_argument,
                        std::string(option) + ": expected " + std::to_string(least) + " ids or more",
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

/// Rows of the grid, and their targets where something predicts them.
void append(std::vector<Step> & steps, const std::vector<int32_t> & text, const std::vector<int32_t> & audio,
            Tails tails = Tails::none, const std::vector<int32_t> & targets = {}) {
    for (size_t begin = 0; begin < text.size(); begin += piece_rows) {
        const size_t end = std::min(begin + piece_rows, text.size());
        const auto part = [&](const std::vector<int32_t> & all) {
            const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
            return all.empty() ? all : std::vector<int32_t>(first, first + static_cast<std::ptrdiff_t>(end - begin));
        };
        steps.push_back({part(text), part(audio), {}, tails, part(targets)});
    }
}

/// Each id predicts the next.
std::vector<Step> text_steps(const LmConfig & config, const std::vector<int32_t> & ids) {
    check_ids("text", ids, 2, config.text_vocab_size);
    std::vector<Step> steps;
    append(steps, {ids.begin(), ids.end() - 1}, {}, Tails::text, {ids.begin() + 1, ids.end()});
    return steps;
}

/// The user's words.
void append_question(std::vector<Step> & steps, const Model::Parts & parts, Runner & runner,
                     const Exercise & exercise) {
    if (exercise.samples.empty()) {
        append(steps, exercise.text, std::vector<int32_t>(exercise.text.size(), parts.vocabulary.audio.pad));
        return;
    }
    if (!parts.listener || parts.listener->aligner() == nullptr) {
        throw MossError(code::unsupported, "this model has no encoder and aligner: it cannot hear");
    }
    check_speech(parts, exercise.samples, parts.info.max_turn_seconds);
    Listener::State state(*parts.listener, parts.chunk_size());
    Step step;
    step.rows = hear(parts, runner, state, exercise.samples, {0, exercise.samples.size()}).rows;
    steps.push_back(std::move(step));
}

std::vector<Step> turn_steps(const Model::Parts & parts, Runner & runner, const Exercise & exercise) {
    const LmConfig & config = parts.lm->config();
    const auto & token = parts.vocabulary.text;
    const auto & sound = parts.vocabulary.audio;
    check_ids("text", exercise.text, exercise.samples.empty() ? 1 : 0, config.text_vocab_size);
    check_ids("units", exercise.units, 0, config.audio_vocab_size);
    check_ids("reply", exercise.reply, 0, config.text_vocab_size);
    std::vector<Step> steps;
    const auto pads = [&](size_t count) { return std::vector<int32_t>(count, sound.pad); };
    append(steps, parts.rows.user_prefix, pads(parts.rows.user_prefix.size()));
    append_question(steps, parts, runner, exercise);

    std::vector<int32_t> before = parts.rows.assistant_prefix;  // the reply's text
    std::vector<int32_t> text{before.back()}, audio{sound.pad}; // the row that predicts its first id, and the text
    if (!exercise.units.empty()) {
        std::vector<int32_t> spoken{sound.pad}, next = exercise.units;
        spoken.insert(spoken.end(), exercise.units.begin(), exercise.units.end());
        next.push_back(sound.eosp);
        std::vector<int32_t> channel(spoken.size(), token.modality_pad);
        channel.front() = token.sosp;
        append(steps, before, pads(before.size()));
        append(steps, channel, spoken, Tails::audio, next);
        text = {token.modality_pad};
        audio = {sound.eosp};
    } else {
        before.pop_back();
        append(steps, before, pads(before.size()));
    }
    text.insert(text.end(), exercise.reply.begin(), exercise.reply.end());
    audio.resize(text.size(), sound.pad);
    std::vector<int32_t> next = exercise.reply;
    next.push_back(token.im_end);
    append(steps, text, audio, Tails::text, next);
    return steps;
}

} // namespace

std::vector<Step> steps_of(const Model::Parts & parts, Runner & runner, const Exercise & exercise) {
    const LmConfig & config = parts.lm->config();
    return config.text_only() ? text_steps(config, exercise.text) : turn_steps(parts, runner, exercise);
}

LmLogits push(const Lm & lm, Runner & runner, Lm::State & state, const Step & step, bool all_rows) {
    const Tails tails = lm.config().text_only() && !all_rows ? Tails::none : step.tails; // logits of a large vocabulary
    if (!step.rows.empty()) {
        const auto width = static_cast<size_t>(lm.config().embedding_length);
        return lm.push(runner, state, step.rows.data(), static_cast<int>(step.rows.size() / width), tails, all_rows);
    }
    return lm.push(runner, state, step.text.data(), step.audio.data(), static_cast<int>(step.text.size()), tails,
                   all_rows);
}

} // namespace moss
