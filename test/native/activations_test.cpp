// Activations, compared to the C library's functions, and the concatenation of rows and channels.

#include "graph/graph.h"
#include "kernels/cpu/activations.h"
#include "kernels/cpu/join.h"
#include "test.h"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace moss;

TEST(a_gate_is_tanh_times_sigmoid) {
    constexpr int64_t channels = 37;
    constexpr int64_t frames = 50;
    std::vector<float> values;
    for (int64_t i = 0; i < 2 * channels * frames; i++) {
        values.push_back(40.0F * std::sin(0.7F * static_cast<float>(i)) / static_cast<float>(1 + i % 97));
    }
    values[0] = 1e30F;
    values[1] = -1e30F;
    values[2] = INFINITY;
    values[3] = 0.0F;
    for (const int threads : {1, 2}) {
        Runner runner(threads);
        Graph g(runner);
        std::vector<float> result;
        g.output(gate(g, g.input(GGML_TYPE_F32, {2 * channels, frames}, values.data())), result);
        g.run();
        CHECK_EQ(result.size(), static_cast<size_t>(channels * frames));
        for (size_t i = 0; i < result.size(); i++) {
            const size_t at = i / channels * 2 * channels + i % channels;
            const double expected = std::tanh(static_cast<double>(values[at])) /
                                    (1.0 + std::exp(-static_cast<double>(values[at + channels])));
            CHECK_NEAR(result[i], expected, 2e-7);
        }
    }
}

TEST(gelu_is_exact) {
    std::vector<float> values = {0.0F, -0.0F, 1e30F, -1e30F, 1e-30F};
    for (float x = -9.0F; x < 9.0F; x += 0.0037F) {
        values.push_back(x);
    }
    Runner runner(2);
    Graph g(runner);
    std::vector<float> result;
    g.output(gelu(g, g.input(GGML_TYPE_F32, {static_cast<int64_t>(values.size())}, values.data())), result);
    g.run();
    for (size_t i = 0; i < values.size(); i++) {
        const auto x = static_cast<double>(values[i]);
        const double expected = x / 2 * std::erfc(-x / std::sqrt(2.0));
        CHECK_NEAR(result[i], expected, 2e-7 * std::max(1.0, std::abs(x)));
    }
}

TEST(rows_and_channels_are_joined) {
    const std::vector<float> a = {1, 2, 3, 4, 5, 6};
    const std::vector<float> b = {7, 8, 9};
    Runner runner(2);
    Graph g(runner);
    std::vector<float> rows, channels, padded;
    ggml_tensor * x = g.input(GGML_TYPE_F32, {3, 2}, a.data());
    ggml_tensor * y = g.input(GGML_TYPE_F32, {3, 1}, b.data());
    g.output(join_rows(g, x, y, 1), rows);
    g.output(join_rows(g, y, nullptr, 1), padded);
    g.output(join_channels(g, ggml_view_2d(g, x, 1, 2, x->nb[1], sizeof(float)), x), channels);
    g.run();
    CHECK(rows == (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0}));
    CHECK(padded == (std::vector<float>{7, 8, 9, 0, 0, 0}));
    CHECK(channels == (std::vector<float>{2, 1, 2, 3, 5, 4, 5, 6}));
    CHECK_THROWS(join_rows(g, x, g.input(GGML_TYPE_F32, {2, 1}, b.data())));
    CHECK_THROWS(gate(g, x));
}
