#include "core/turn/sampler.h"

#include "test.h"

#include <cmath>
#include <limits>

using moss::Random;
using moss::Sampler;
using moss::Sampling;

namespace {

constexpr float masked = -std::numeric_limits<float>::infinity();

Sampling plain(float temperature) {
    Sampling sampling;
    sampling.temperature = temperature;
    sampling.top_k = 0;
    sampling.top_p = 1;
    sampling.repetition_penalty = 1;
    return sampling;
}

/// How often each id is sampled, as a share of `n` samples.
std::vector<double> shares(const Sampling & sampling, const std::vector<float> & logits, int n = 20000) {
    Sampler sampler(sampling);
    std::vector<double> count(logits.size());
    for (int i = 0; i < n; i++) {
        std::vector<float> row = logits;
        count[static_cast<size_t>(sampler.sample(row))] += 1.0 / n;
    }
    return count;
}

} // namespace

TEST(random_matches_the_reference_implementation) {
    // splitmix64(0) gives the published state e220a8397b1dcdaf, 6e789e6aa1b965f4, …; these are the first numbers of
    // xoshiro256** with this state.
    Random random(0);
    CHECK_EQ(random.next(), 0x99EC5F36CB75F2B4ULL);
    CHECK_EQ(random.next(), 0xBF6E1F784956452AULL);
    CHECK_EQ(random.next(), 0x1A5F849D4933E6E0ULL);
    const double x = random.uniform();
    CHECK(x >= 0 && x < 1);
}

TEST(temperature_zero_takes_the_most_probable_id_and_the_lower_of_equals) {
    Sampler sampler(plain(0));
    std::vector<float> logits{1, 3, 3, -2};
    CHECK_EQ(sampler.sample(logits), 1);
}

TEST(masked_and_nan_ids_are_never_sampled) {
    Sampling sampling = plain(2);
    const auto share = shares(sampling, {masked, 0, NAN, 0});
    CHECK_EQ(share[0], 0);
    CHECK_EQ(share[2], 0);
    CHECK_NEAR(share[1], 0.5, 0.02);
    Sampler sampler(sampling);
    std::vector<float> none{masked, masked};
    CHECK_THROWS_WITH(sampler.sample(none), "masked");
}

TEST(draws_follow_the_softmax_at_the_temperature) {
    const std::vector<float> logits{0, 1, 2};
    const auto share = shares(plain(0.5F), logits);
    const double total = std::exp(0) + std::exp(2) + std::exp(4);
    for (size_t i = 0; i < logits.size(); i++) {
        CHECK_NEAR(share[i], std::exp(logits[i] / 0.5) / total, 0.01); // 3 standard deviations for 20,000 samples
    }
}

TEST(top_k_keeps_k) {
    Sampling sampling = plain(1);
    sampling.top_k = 2;
    const auto share = shares(sampling, {1, 0.5F, 1, 0});
    CHECK_EQ(share[1], 0);
    CHECK_EQ(share[3], 0);
    CHECK_NEAR(share[0], 0.5, 0.02);
}

TEST(top_p_keeps_the_id_that_crosses_it) {
    Sampling sampling = plain(1);
    sampling.top_p = 0.6F; // of 0.5, 0.3, 0.2: the first two
    const auto share = shares(sampling, {std::log(0.2F), std::log(0.5F), std::log(0.3F)});
    CHECK_EQ(share[0], 0);
    CHECK_NEAR(share[1], 0.625, 0.02);
    sampling.top_p = 1e-6F; // always one
    const auto single = shares(sampling, {0, 1, 0});
    CHECK_NEAR(single[1], 1, 1e-9);
}

TEST(repetition_penalty_works_on_either_sign) {
    Sampling sampling = plain(0);
    sampling.repetition_penalty = 2;
    Sampler sampler(sampling);
    std::vector<float> row{2, 1.5F, -1};
    CHECK_EQ(sampler.sample(row), 0);
    row = {2, 1.5F, -1};
    CHECK_EQ(sampler.sample(row), 1); // 1, 1.5, -1
    row = {-1, -1.5F, -1.8F};
    CHECK_EQ(sampler.sample(row), 2); // -2, -3, -1.8
}

TEST(equal_seeds_draw_equal_ids) {
    Sampling sampling;
    sampling.seed = 7;
    Sampler a(sampling);
    Sampler b(sampling);
    sampling.seed = 8;
    Sampler c(sampling);
    int same = 0;
    for (int i = 0; i < 100; i++) {
        std::vector<float> logits(30);
        for (size_t j = 0; j < logits.size(); j++) {
            logits[j] = std::sin(static_cast<float>(j * 7 + static_cast<size_t>(i)));
        }
        auto x = logits;
        auto y = logits;
        auto z = logits;
        const int32_t drawn = a.sample(x);
        CHECK_EQ(drawn, b.sample(y));
        same += drawn == c.sample(z);
    }
    CHECK(same < 60);
}
