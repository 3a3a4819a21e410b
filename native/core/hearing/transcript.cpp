#include "core/hearing/transcript.h"

#include <algorithm>

namespace moss {

namespace {

constexpr double max_growth = 0.1; // seconds; phonemes are seldom longer than the span that this gives

} // namespace

void append_likeliest(const std::vector<float> & logits, int unit_count, std::vector<int32_t> & path) {
    const auto width = static_cast<size_t>(unit_count);
    for (size_t at = 0; at + width <= logits.size(); at += width) {
        const float * row = logits.data() + at;
        path.push_back(static_cast<int32_t>(std::max_element(row, row + width) - row));
    }
}

std::vector<HeardUnit> ctc_greedy(const std::vector<int32_t> & path, double frame_seconds, double seconds) {
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
        heard.push_back({run.id, static_cast<float>(begin * frame_seconds), static_cast<float>(end * frame_seconds)});
    }
    return heard;
}

} // namespace moss
