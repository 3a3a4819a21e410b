#include "core/probe/probe.h"

#include "core/hearing/log_sum_exp.h"
#include "core/hearing/transcript.h"
#include "core/probe/steps.h"
#include "core/turn/turn.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moss {

namespace {

/// The encoder's output for a recording, computed as in Session::encode().
EncoderFrames hear_frames(const Model::Parts & parts, Runner & runner, const std::vector<float> & samples) {
    check_speech(parts, samples, parts.listener ? parts.encode_seconds() : 0);
    EncoderFrames all;
    if (!parts.hears_in_windows()) {
        Listener::State state(*parts.listener, parts.chunk_size());
        return hear(parts, runner, state, samples, {0, samples.size()}).encoder;
    }
    parts.listener->hear(runner, samples.data(), samples.size(), {}, [&](EncoderFrames && frames, int64_t) {
        all.hidden.insert(all.hidden.end(), frames.hidden.begin(), frames.hidden.end());
        all.logits.insert(all.logits.end(), frames.logits.begin(), frames.logits.end());
    });
    return all;
}

/// The sum of the cosine similarities of corresponding vectors of `width` values.
double cosines(const std::vector<float> & a, const std::vector<float> & b, size_t width) {
    double sum = 0;
    for (size_t at = 0; at + width <= a.size(); at += width) {
        double dot = 0, of_a = 0, of_b = 0;
        for (size_t i = at; i < at + width; i++) {
            dot += double(a[i]) * b[i];
            of_a += double(a[i]) * a[i];
            of_b += double(b[i]) * b[i];
        }
        sum += dot / std::sqrt(std::max(of_a * of_b, 1e-60));
    }
    return sum;
}

/// Levenshtein's distance.
int64_t edit_distance(const std::vector<int32_t> & from, const std::vector<int32_t> & to) {
    std::vector<int64_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (size_t i = 0; i < from.size(); i++) {
        int64_t diagonal = row[0];
        row[0]++;
        for (size_t j = 0; j < to.size(); j++) {
            const int64_t substituted = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, substituted});
        }
    }
    return row.back();
}

/// The CTC head's units: repeats and blanks dropped.
std::vector<int32_t> units_of(const EncoderFrames & frames, int unit_count) {
    std::vector<int32_t> path;
    append_likeliest(frames.logits, unit_count, path);
    path.erase(std::unique(path.begin(), path.end()), path.end());
    path.erase(std::remove(path.begin(), path.end(), 0), path.end());
    return path;
}

Difference compare_encoders(const Model & before, const Model & after, Runner & runner,
                            const std::vector<float> & samples) {
    const EncoderFrames a = hear_frames(before.parts(), runner, samples);
    const EncoderFrames b = hear_frames(after.parts(), runner, samples);
    const auto width = static_cast<size_t>(before.parts().listener->encoder().config().embedding_length);
    if (a.hidden.size() != b.hidden.size() || a.logits.size() != b.logits.size()) {
        throw MossError(code::invalid_argument, "the encoders differ in their number of frames or units");
    }
    Difference difference;
    difference.positions = static_cast<int64_t>(a.hidden.size() / width);
    difference.cosine = cosines(a.hidden, b.hidden, width);
    if (!a.logits.empty()) {
        const int unit_count = static_cast<int>(before.info().units.size());
        const std::vector<int32_t> units = units_of(a, unit_count);
        difference.units = static_cast<int64_t>(units.size());
        difference.edits = edit_distance(units, units_of(b, unit_count));
    }
    return difference;
}

/// Adds the losses and the divergence of one position to `sum`.
void compare_row(const float * before, const float * after, size_t count, size_t target, Difference & sum) {
    const double of_before = log_sum_exp(before, count), of_after = log_sum_exp(after, count);
    sum.positions++;
    sum.loss_before += of_before - before[target];
    sum.loss_after += of_after - after[target];
    for (size_t i = 0; i < count; i++) {
        const double log_before = before[i] - of_before;
        sum.divergence += std::exp(log_before) * (log_before - (after[i] - of_after));
    }
}

Difference compare_lms(const Model & before, const Model & after, Runner & runner, const Exercise & exercise) {
    const Lm &a = *before.parts().lm, &b = *after.parts().lm;
    if (a.config().text_vocab_size != b.config().text_vocab_size ||
        a.config().audio_vocab_size != b.config().audio_vocab_size ||
        a.config().embedding_length != b.config().embedding_length) {
        throw MossError(code::invalid_argument, "the language models differ in their vocabularies or their size");
    }
    Lm::State state_a(a, a.config().context_length), state_b(b, b.config().context_length);
    Difference sum;
    for (const Step & step : steps_of(before.parts(), runner, exercise)) {
        const LmLogits of_a = push(a, runner, state_a, step, true), of_b = push(b, runner, state_b, step, true);
        const std::vector<float> & x = step.tails == Tails::audio ? of_a.audio : of_a.text;
        const std::vector<float> & y = step.tails == Tails::audio ? of_b.audio : of_b.text;
        const size_t width = step.targets.empty() ? 0 : x.size() / step.targets.size();
        for (size_t i = 0; i < step.targets.size(); i++) {
            compare_row(x.data() + i * width, y.data() + i * width, width, static_cast<size_t>(step.targets[i]), sum);
        }
    }
    return sum;
}

void require(const Model & model, Network network) {
    const Model::Parts & parts = model.parts();
    if (network == Network::encoder ? !parts.listener : !parts.lm) {
        throw MossError(code::unsupported,
                        network == Network::encoder ? "this model has no encoder" : "this model has no language model",
                        {{"component", network == Network::encoder ? "encoder" : "lm"}});
    }
}

} // namespace

std::vector<HeadShares> measure_heads(const Model & model, Network network, const Exercise & exercise,
                                      CancelToken & cancel) {
    require(model, network);
    const Model::Parts & parts = model.parts();
    Runner runner(parts.pools);
    const CancelToken::Attach attach(cancel, runner.cancel);
    Stages heads;
    if (network == Network::encoder) {
        runner.heads = &heads;
        hear_frames(parts, runner, exercise.samples);
    } else {
        const std::vector<Step> steps =
            steps_of(parts, runner, exercise); // runs the encoder without measuring its heads
        runner.heads = &heads;
        Lm::State state(*parts.lm, parts.lm->config().context_length);
        for (const Step & step : steps) {
            push(*parts.lm, runner, state, step, false);
        }
    }
    std::vector<HeadShares> all;
    for (const auto & [block, data] : heads) {
        const auto units = static_cast<size_t>(data.ne0);
        HeadShares of{block, std::vector<double>(units), static_cast<int64_t>(data.values.size() / units)};
        for (size_t i = 0; i < data.values.size(); i++) {
            // The share is not a number if the residual stream at this position is zero.
            of.shares[i % units] += std::isfinite(data.values[i]) ? data.values[i] : 0;
        }
        for (double & share : of.shares) {
            share /= static_cast<double>(of.positions);
        }
        all.push_back(std::move(of));
    }
    return all;
}

Difference compare(const Model & before, const Model & after, Network network, const Exercise & exercise,
                   CancelToken & cancel) {
    require(before, network);
    require(after, network);
    Runner runner(before.parts().pools);
    const CancelToken::Attach attach(cancel, runner.cancel);
    return network == Network::encoder ? compare_encoders(before, after, runner, exercise.samples)
                                       : compare_lms(before, after, runner, exercise);
}

} // namespace moss
