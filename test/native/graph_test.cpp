// Graphs that are too large for memory.

#include "test.h"

#include "graph/graph.h"
#include "graph/thread_pool.h"
#include "io/error.h"

#include <algorithm>
#include <thread>

using namespace moss;

namespace {

/// Doubles `count` zeros; returns the code of the error, or "".
std::string double_zeros(Runner & runner, int64_t count) {
    try {
        Graph g(runner);
        std::vector<float> values;
        const std::vector<float> one(1);
        ggml_tensor * x = g.input(GGML_TYPE_F32, {1}, one.data());
        ggml_tensor * y = ggml_scale(g, ggml_repeat_4d(g, x, count, 1, 1, 1), 2);
        g.output(ggml_view_1d(g, y, 1, 0), values);
        g.run();
        CHECK_EQ(values.size(), size_t(1));
    } catch (const MossError & error) {
        return error.code();
    }
    return "";
}

} // namespace

TEST(a_computation_without_memory_can_be_tried_again) {
    constexpr int64_t impossible = int64_t{1} << 48; // floats: more than the address space
    Runner runner(2);
    CHECK_EQ(double_zeros(runner, 1000), "");
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(double_zeros(runner, impossible), code::out_of_memory);
        CHECK_EQ(double_zeros(runner, impossible), code::out_of_memory);
        CHECK_EQ(double_zeros(runner, 1000), "");
    }
}

TEST(memory_with_many_holes_is_no_error) {
    // The second of every two tensors of a size is kept, so that the gap left by the first is too small for later ones.
    constexpr int count = 400;
    Runner runner(1);
    Graph g(runner);
    const std::vector<float> one(1, 1.0F);
    ggml_tensor * x = g.input(GGML_TYPE_F32, {1}, one.data());
    std::vector<std::vector<float>> values(count);
    for (int i = 0; i < count; i++) {
        ggml_tensor * y = ggml_repeat_4d(g, x, 64 * (i + 1), 1, 1, 1);
        g.output(ggml_scale(g, ggml_cont(g, ggml_transpose(g, y)), 2), values[static_cast<size_t>(i)]);
    }
    g.run();
    for (const auto & value : values) {
        CHECK(value.front() == 2 && value.back() == 2);
    }
}

TEST(a_graph_with_more_tensors_than_counted_is_an_error) {
    Runner runner(1);
    const auto grow = [&] {
        Graph g(runner, 100);
        const std::vector<float> one(1, 1.0F);
        ggml_tensor * x = g.input(GGML_TYPE_F32, {1}, one.data());
        for (int i = 0; i < 1000; i++) {
            x = ggml_scale(g, x, 2);
        }
    };
    CHECK_THROWS_WITH(grow(), "more tensors");
}

TEST(threads_are_lent_and_given_back) {
    ThreadPools pools(static_cast<int>(std::max(1U, std::thread::hardware_concurrency()))); // one pool takes all CPUs
    for (int i = 0; i < 3; i++) {
        const auto lease = pools.lease();
        CHECK(static_cast<bool>(lease));
        CHECK(!pools.lease());
    }
}
