#include "core/transcript.h"

#include <algorithm>
#include <cmath>

namespace moss {

namespace {

constexpr double max_growth = 0.1;   // seconds; a vowel and its consonant are seldom longer
constexpr double longest_tone = 0.6; // seconds; of a syllable that stands alone

/// Seconds that each class has of the frames [begin, end): its probability, summed.
std::vector<float> class_seconds(const std::vector<float> & logits, int classes, size_t begin, size_t end,
                                 double frame_seconds) {
    const auto count = static_cast<size_t>(classes);
    std::vector<float> seconds(count);
    std::vector<double> weights(count);
    for (size_t t = begin; t < std::min(end, logits.size() / std::max<size_t>(count, 1)); t++) {
        const float * row = logits.data() + t * count;
        const float peak = *std::max_element(row, row + count);
        double total = 0;
        for (size_t c = 0; c < count; c++) {
            weights[c] = std::exp(static_cast<double>(row[c]) - peak);
            total += weights[c];
        }
        for (size_t c = 0; c < count; c++) {
            seconds[c] += static_cast<float>(frame_seconds * weights[c] / total);
        }
    }
    return seconds;
}

} // namespace

void append_likeliest(const std::vector<float> & logits, int unit_count, std::vector<int32_t> & path) {
    const auto width = static_cast<size_t>(unit_count);
    for (size_t at = 0; at + width <= logits.size(); at += width) {
        const float * row = logits.data() + at;
        path.push_back(static_cast<int32_t>(std::max_element(row, row + width) - row));
    }
}

std::vector<HeardUnit> ctc_greedy(const std::vector<int32_t> & path, const ToneFrames & tone, int tone_classes,
                                  double frame_seconds, double seconds) {
    struct Run {
        int32_t id;
        double begin, end; // frames
    };
    std::vector<Run> runs;
    int32_t last = 0;
    for (size_t t = 0; t < path.size(); t++) {
        const int32_t id = path[t];
        const auto time = static_cast<double>(t);
        if (id != 0 && id != last) {
            runs.push_back({id, time, time});
        }
        if (id != 0) {
            runs.back().end = time + 1;
        }
        last = id;
    }

    std::vector<HeardUnit> heard;
    const double growth = max_growth / frame_seconds;
    const double last_frame = seconds / frame_seconds;
    for (size_t i = 0; i < runs.size(); i++) {
        const Run & run = runs[i];
        const double before = i > 0 ? (runs[i - 1].end + run.begin) / 2 : 0;
        const double after = i + 1 < runs.size() ? (run.end + runs[i + 1].begin) / 2 : last_frame;
        const double begin = std::min(std::max(before, run.begin - growth), last_frame);
        const double end = std::max(begin, std::min({after, run.end + growth, last_frame}));
        const double next = i + 1 < runs.size() ? runs[i + 1].begin : static_cast<double>(path.size());
        const double tone_end = std::min(next, run.begin + longest_tone / frame_seconds);
        heard.push_back({run.id, static_cast<float>(begin * frame_seconds), static_cast<float>(end * frame_seconds),
                         class_seconds(tone.logits, tone_classes, static_cast<size_t>(run.begin),
                                       static_cast<size_t>(tone_end), frame_seconds)});
    }
    return heard;
}

} // namespace moss
