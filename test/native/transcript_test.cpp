#include "core/transcript.h"

#include "test.h"

#include <cmath>

using moss::append_likeliest;
using moss::ctc_greedy;
using moss::ToneFrames;

namespace {

/// Logits that favour one class a frame.
std::vector<float> one_hot(const std::vector<int> & path, int classes) {
    std::vector<float> logits(path.size() * static_cast<size_t>(classes));
    for (size_t t = 0; t < path.size(); t++) {
        logits[t * static_cast<size_t>(classes) + static_cast<size_t>(path[t])] = 5;
    }
    return logits;
}

} // namespace

TEST(repeats_merge_unless_a_blank_stands_between) {
    std::vector<int32_t> frames;
    append_likeliest(one_hot({0, 1, 1, 0, 1}, 3), 3, frames);
    append_likeliest(one_hot({2, 2, 0}, 3), 3, frames);
    const auto heard = ctc_greedy(frames, {}, 0, 0.02, 0.16);
    CHECK_EQ(heard.size(), size_t(3));
    CHECK_EQ(heard[0].id, 1);
    CHECK_EQ(heard[1].id, 1);
    CHECK_EQ(heard[2].id, 2);
    CHECK_NEAR(heard[0].start, 0, 1e-6);  // grown to the recording's start
    CHECK_NEAR(heard[0].end, 0.07, 1e-6); // … and to the middle of the gap
    CHECK_NEAR(heard[1].end, 0.10, 1e-6); // no gap
    CHECK_NEAR(heard[2].end, 0.16, 1e-6); // the recording's end
}

TEST(spans_grow_by_a_tenth_of_a_second_at_most) {
    std::vector<int32_t> path(60);
    path[20] = 1;
    const auto heard = ctc_greedy(path, {}, 0, 0.02, 1.0);
    CHECK_EQ(heard.size(), size_t(1));
    CHECK_NEAR(heard[0].start, 0.30, 1e-6);
    CHECK_NEAR(heard[0].end, 0.52, 1e-6);
}

TEST(a_unit_marked_in_the_silence_appended_ends_with_the_recording) {
    const auto heard = ctc_greedy({0, 0, 0, 0, 1}, {}, 0, 0.02, 0.05);
    CHECK_NEAR(heard[0].end, 0.05, 1e-6);
    CHECK(heard[0].start <= heard[0].end);
}

TEST(a_unit_has_the_tones_until_the_next_one) {
    ToneFrames tone;
    tone.logits = one_hot({0, 3, 3, 0, 0, 4, 4, 4}, 6);
    const auto heard = ctc_greedy({0, 1, 0, 0, 0, 2, 0, 0}, tone, 6, 0.02, 0.16);
    const double certain = std::exp(5.0) / (std::exp(5.0) + 5);
    const double unlikely = 1 / (std::exp(5.0) + 5);
    CHECK_NEAR(heard[0].tones[3], 0.02 * (2 * certain + 2 * unlikely), 1e-6);
    CHECK_NEAR(heard[0].tones[0], 0.02 * (2 * certain + 2 * unlikely), 1e-6);
    CHECK_NEAR(heard[1].tones[4], 0.06 * certain, 1e-6);
    CHECK(ctc_greedy({0, 1}, {}, 0, 0.02, 0.04)[0].tones.empty());
}

TEST(a_tone_ends_with_the_longest_syllable) {
    ToneFrames tone;
    tone.logits = one_hot(std::vector<int>(100, 2), 6);
    const auto heard = ctc_greedy({1}, tone, 6, 0.02, 2.0);
    CHECK(heard[0].tones[2] <= 0.02F);
    std::vector<int32_t> path(100);
    path[0] = 1;
    const auto alone = ctc_greedy(path, tone, 6, 0.02, 2.0);
    float seconds = 0;
    for (const float s : alone[0].tones) {
        seconds += s;
    }
    CHECK_NEAR(seconds, 0.6, 1e-5);
}
