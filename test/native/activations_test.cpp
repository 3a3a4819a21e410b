// Activations, compared to the C library's functions, and the concatenation of rows and channels.

#include "graph/graph.h"
#include "kernels/cpu/activations.h"
#include "kernels/cpu/join.h"
#include "kernels/cpu/snake.h"
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

// Where it is, and from another place into the middle of a matrix, whose other rows stay; channels in runs and a rest.
TEST(a_snake_is_exact) {
    constexpr int64_t channels = 70;
    constexpr int64_t frames = 9;
    SnakeConstants constants;
    for (int64_t c = 0; c < channels; c++) {
        const auto i = static_cast<float>(c);
        constants.scale.push_back(1.0F + 0.5F * std::sin(i));
        constants.shift.push_back(std::cos(i));
        constants.alpha.push_back((c % 2 == 0 ? 1.0F : -1.0F) * (0.05F + 0.1F * i));
        constants.inverse.push_back(1.0F / constants.alpha.back());
    }
    std::vector<float> values;
    for (int64_t i = 0; i < channels * frames; i++) {
        const auto x = static_cast<float>(i);
        values.push_back(i % 50 == 0 ? 1000.0F * std::sin(x) : 20.0F * std::sin(0.37F * x) / (1.0F + 0.01F * x));
    }
    for (const int threads : {1, 2}) {
        Runner runner(threads);
        Graph g(runner);
        std::vector<float> inplace, moved;
        const auto input = [&] { return g.input(GGML_TYPE_F32, {channels, frames}, values.data()); };
        ggml_tensor * x = ggml_cont(g, input());
        g.output(snake(g, x, constants, x, 0), inplace);
        const std::vector<float> ones(static_cast<size_t>(channels * (frames + 3)), 1.0F);
        ggml_tensor * room = ggml_cont(g, g.input(GGML_TYPE_F32, {channels, frames + 3}, ones.data()));
        g.output(snake(g, input(), constants, room, 2), moved);
        g.run();
        for (int64_t i = 0; i < channels * (frames + 3); i++) {
            const auto c = static_cast<size_t>(i % channels);
            const int64_t at = i - 2 * channels;
            if (at < 0 || at >= channels * frames) {
                CHECK_EQ(moved[static_cast<size_t>(i)], 1.0F);
                continue;
            }
            // What a float's rounding of z and of alpha z makes of the sine is no error of the kernel.
            const float z = std::fma(constants.scale[c], values[static_cast<size_t>(at)], constants.shift[c]);
            const double sine = std::sin(static_cast<double>(constants.alpha[c] * z));
            const double expected = z + sine * sine / static_cast<double>(constants.alpha[c]);
            const double tolerance = 4e-7 * (1.0 + std::fabs(static_cast<double>(z))) *
                                     (1.0 + 1.0 / std::fabs(static_cast<double>(constants.alpha[c])));
            CHECK_NEAR(moved[static_cast<size_t>(i)], expected, tolerance);
            CHECK_EQ(moved[static_cast<size_t>(i)], inplace[static_cast<size_t>(at)]);
        }
    }
    Runner runner(1);
    Graph g(runner);
    ggml_tensor * x = g.input(GGML_TYPE_F32, {channels, frames}, values.data());
    CHECK_THROWS(snake(g, x, constants, x, 1));
    constants.alpha.pop_back();
    CHECK_THROWS(snake(g, x, constants, x, 0));
}

TEST(rows_are_added_into_a_matrix) {
    const std::vector<float> a = {1, 2, 3, 4};
    const std::vector<float> b = {10, 20, 30, 40};
    const std::vector<float> zeros(8, 0.0F);
    Runner runner(2);
    Graph g(runner);
    const auto matrix = [&](const std::vector<float> & v) {
        return g.input(GGML_TYPE_F32, {2, static_cast<int64_t>(v.size()) / 2}, v.data());
    };
    std::vector<float> result;
    g.output(add_rows(g, matrix(a), matrix(b), ggml_cont(g, matrix(zeros)), 1), result);
    g.run();
    CHECK(result == std::vector<float>({0, 0, 11, 22, 33, 44, 0, 0}));
    CHECK_THROWS(add_rows(g, matrix(a), matrix(b), matrix(zeros), 3));
    CHECK_THROWS(add_rows(g, matrix(a), matrix(zeros), matrix(zeros), 0));
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
