#include "core/hearing/transcript.h"

#include "one_hot.h"
#include "test.h"

using moss::append_likeliest;
using moss::ctc_greedy;
using moss::test::one_hot;

TEST(repeats_merge_unless_a_blank_is_between_them) {
    std::vector<int32_t> frames;
    append_likeliest(one_hot({0, 1, 1, 0, 1}, 3), 3, frames);
    append_likeliest(one_hot({2, 2, 0}, 3), 3, frames);
    const auto heard = ctc_greedy(frames, 0.02, 0.16);
    CHECK_EQ(heard.size(), size_t(3));
    CHECK_EQ(heard[0].id, 1);
    CHECK_EQ(heard[1].id, 1);
    CHECK_EQ(heard[2].id, 2);
    CHECK_NEAR(heard[0].start, 0, 1e-6);  // extended to the start of the recording
    CHECK_NEAR(heard[0].end, 0.07, 1e-6); // extended to the middle of the gap
    CHECK_NEAR(heard[1].end, 0.10, 1e-6); // no gap
    CHECK_NEAR(heard[2].end, 0.16, 1e-6); // the end of the recording
}

TEST(spans_grow_by_a_tenth_of_a_second_at_most) {
    std::vector<int32_t> path(60);
    path[20] = 1;
    const auto heard = ctc_greedy(path, 0.02, 1.0);
    CHECK_EQ(heard.size(), size_t(1));
    CHECK_NEAR(heard[0].start, 0.30, 1e-6);
    CHECK_NEAR(heard[0].end, 0.52, 1e-6);
}

TEST(a_unit_marked_in_the_silence_appended_ends_with_the_recording) {
    const auto heard = ctc_greedy({0, 0, 0, 0, 1}, 0.02, 0.05);
    CHECK_NEAR(heard[0].end, 0.05, 1e-6);
    CHECK(heard[0].start <= heard[0].end);
}
