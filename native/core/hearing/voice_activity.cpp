#include "core/hearing/voice_activity.h"

#include <algorithm>
#include <cmath>

namespace moss {

namespace {

/// The windows [first, end).
struct Run {
    size_t first, end;
    size_t longest; // number of windows of its longest part without a pause
};

/// Runs of windows whose probability is at least rule.hold and in one window at least rule.begin. Runs with fewer than
/// `pause` windows between them are joined.
std::vector<Run> runs_of(const std::vector<float> & probabilities, const VoiceActivity & rule, size_t pause) {
    std::vector<Run> runs;
    for (size_t i = 0; i < probabilities.size();) {
        size_t end = i;
        bool certain = false;
        for (; end < probabilities.size() && probabilities[end] >= rule.hold; end++) {
            certain = certain || probabilities[end] >= rule.begin;
        }
        if (certain && !runs.empty() && i - runs.back().end < pause) {
            runs.back().end = end;
            runs.back().longest = std::max(runs.back().longest, end - i);
        } else if (certain) {
            runs.push_back({i, end, end - i});
        }
        i = std::max(end, i + 1);
    }
    return runs;
}

/// Cuts runs longer than `most` windows. Each cut is at the least probable window in the second half of the first
/// `most` windows.
std::vector<Run> cut(const std::vector<Run> & runs, const std::vector<float> & probabilities, size_t most) {
    std::vector<Run> parts;
    for (Run run : runs) {
        while (run.end - run.first > most) {
            const auto from = probabilities.begin() + static_cast<std::ptrdiff_t>(run.first + most / 2);
            const auto to = probabilities.begin() + static_cast<std::ptrdiff_t>(run.first + most);
            const auto at = static_cast<size_t>(std::min_element(from, to) - probabilities.begin());
            parts.push_back({run.first, at, run.longest});
            run.first = at;
        }
        parts.push_back(run);
    }
    return parts;
}

} // namespace

std::vector<Span> utterances(const std::vector<float> & probabilities, size_t window, int sample_rate, size_t samples,
                             const VoiceActivity & rule) {
    const auto windows = [&](double seconds) {
        return static_cast<size_t>(std::lround(seconds * sample_rate / static_cast<double>(window)));
    };
    std::vector<Run> runs = runs_of(probabilities, rule, windows(rule.pause));
    runs.erase(
        std::remove_if(runs.begin(), runs.end(), [&](const Run & run) { return run.longest < windows(rule.shortest); }),
        runs.end());
    runs = cut(runs, probabilities, std::max<size_t>(windows(rule.longest), 2));
    std::vector<Span> spans;
    const auto margin = static_cast<size_t>(rule.margin * sample_rate);
    for (size_t i = 0; i < runs.size(); i++) {
        const size_t begin = runs[i].first * window, end = std::min(runs[i].end * window, samples);
        // A margin reaches at most to the middle of the pause between two utterances.
        const size_t before = i == 0 ? begin : (begin - runs[i - 1].end * window) / 2;
        const size_t after = i + 1 == runs.size() ? samples - end : (runs[i + 1].first * window - end + 1) / 2;
        spans.push_back({begin - std::min(margin, before), end + std::min(margin, after)});
    }
    return spans;
}

std::vector<Span> find_utterances(const Vad & vad, Runner & runner, const std::vector<float> & samples,
                                  const VoiceActivity & rule) {
    float peak = 0;
    for (const float sample : samples) {
        peak = std::max(peak, std::abs(sample));
    }
    const float gain = peak > 0 ? std::clamp(rule.peak / peak, 1.0F, rule.amplification) : 1.0F;
    Vad::State state(vad);
    std::vector<float> probabilities, louder;
    const auto piece = static_cast<size_t>(vad.config().window_length) * 32;
    for (size_t i = 0; i < samples.size(); i += piece) {
        const auto first = samples.begin() + static_cast<std::ptrdiff_t>(i);
        louder.assign(first, first + static_cast<std::ptrdiff_t>(std::min(piece, samples.size() - i)));
        for (float & sample : louder) {
            sample *= gain;
        }
        vad.push(runner, state, louder.data(), louder.size(), probabilities);
    }
    vad.finish(runner, state, probabilities);
    return utterances(probabilities, static_cast<size_t>(vad.config().window_length), vad_sample_rate, samples.size(),
                      rule);
}

} // namespace moss
