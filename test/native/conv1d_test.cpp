// Convolutions compared to the formula, for sizes with remainders in all dimensions, with every kernel that this CPU
// runs.

#include "test.h"

#include "kernels/cpu/conv1d.h"
#include "kernels/cpu/conv1d_kernel.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/linear.h"

#include "ggml-alloc.h"
#include "ggml-backend.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

using namespace moss;

namespace {

std::vector<float> random_values(size_t count, uint32_t seed) {
    std::vector<float> values(count);
    for (float & value : values) {
        seed = seed * 1664525U + 1013904223U;
        value = static_cast<float>(seed >> 8) / 8388608.0F - 1.0F;
    }
    return values;
}

struct Matrix {
    int64_t channels, frames;
    std::vector<float> values; // [T][C]
};

Matrix random_matrix(int64_t channels, int64_t frames, uint32_t seed) {
    return {channels, frames, random_values(static_cast<size_t>(channels * frames), seed)};
}

/// Builds a graph of the inputs with `build` and runs it with `threads` threads.
std::vector<float>
compute(const std::vector<Matrix> & inputs, int threads,
        const std::function<ggml_tensor *(ggml_context *, const std::vector<ggml_tensor *> &)> & build) {
    ggml_init_params params = {ggml_tensor_overhead() * 64 + ggml_graph_overhead(), nullptr, true};
    const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(ggml_init(params), ggml_free);
    std::vector<ggml_tensor *> tensors;
    for (const Matrix & input : inputs) {
        tensors.push_back(ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, input.channels, input.frames));
    }
    ggml_tensor * y = build(context.get(), tensors);
    ggml_cgraph * graph = ggml_new_graph(context.get());
    ggml_build_forward_expand(graph, y);
    ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    const std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)> backend(ggml_backend_dev_init(device, nullptr),
                                                                              ggml_backend_free);
    const auto set_threads = reinterpret_cast<ggml_backend_set_n_threads_t>(
        ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), "ggml_backend_set_n_threads"));
    set_threads(backend.get(), threads);
    const std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)> buffer(
        ggml_backend_alloc_ctx_tensors(context.get(), backend.get()), ggml_backend_buffer_free);
    for (size_t i = 0; i < inputs.size(); i++) {
        ggml_backend_tensor_set(tensors[i], inputs[i].values.data(), 0, inputs[i].values.size() * sizeof(float));
    }
    CHECK(ggml_backend_graph_compute(backend.get(), graph) == GGML_STATUS_SUCCESS);
    std::vector<float> result(static_cast<size_t>(ggml_nelements(y)));
    ggml_backend_tensor_get(y, result.data(), 0, result.size() * sizeof(float));
    return result;
}

float activate(Activation activation, float x) {
    switch (activation.kind) {
    case Activation::relu:
        return x > 0 ? x : 0;
    case Activation::leaky_relu:
        return x > 0 ? x : activation.slope * x;
    case Activation::tanh:
        return std::tanh(x);
    case Activation::gelu:
        return 0.5F * x * (1 + std::erf(x / std::sqrt(2.0F)));
    default:
        return x;
    }
}

struct Case {
    Conv1dShape shape;
    int64_t frames, left, right;
    Activation input, output;
    bool bias, condition, residual;
};

std::vector<float> reference(const Case & c, const Matrix & x, const std::vector<float> & w, const float * bias,
                             const float * condition, const float * residual) {
    const Conv1dShape & s = c.shape;
    const int64_t out = (c.left + c.frames + c.right - s.dilation * (s.kernel_size - 1) - 1) / s.stride + 1;
    const int64_t group_in = s.in_channels / s.groups;
    const int64_t group_out = s.out_channels / s.groups;
    std::vector<float> y;
    for (int64_t t = 0; t < out; t++) {
        for (int64_t o = 0; o < s.out_channels; o++) {
            double sum = (bias != nullptr ? bias[o] : 0) + (condition != nullptr ? condition[o] : 0);
            for (int64_t k = 0; k < s.kernel_size; k++) {
                const int64_t at = t * s.stride + k * s.dilation - c.left;
                for (int64_t i = 0; at >= 0 && at < c.frames && i < group_in; i++) {
                    const float value =
                        x.values[static_cast<size_t>(at * s.in_channels + o / group_out * group_in + i)];
                    sum += static_cast<double>(activate(c.input, value)) *
                           w[static_cast<size_t>((o * s.kernel_size + k) * group_in + i)];
                }
            }
            y.push_back(activate(c.output, static_cast<float>(sum)) + (residual != nullptr ? residual[y.size()] : 0));
        }
    }
    return y;
}

void check_equal(const std::vector<float> & actual, const std::vector<float> & expected) {
    CHECK_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); i++) {
        CHECK_NEAR(actual[i], expected[i], 1e-4);
    }
}

/// Runs `body` with each kernel of that type in turn.
void for_each_kernel(ComputeType type, const std::function<void()> & body) {
    const Conv1dKernel * kernels[max_conv1d_kernels];
    const int count = conv1d_kernels(kernels);
    for (int i = 0; i < count; i++) {
        if (kernels[i]->type == type) {
            set_conv1d_kernel(kernels[i]);
            body();
        }
    }
    set_conv1d_kernel(nullptr);
}

void for_each_kernel(const std::function<void()> & body) {
    for_each_kernel(ComputeType::f32, body);
}

float to_bf16(float value) {
    return ggml_bf16_to_fp32(ggml_fp32_to_bf16(value));
}

/// Rounds values in blocks of 32 so that the largest magnitude is `most`, as inputs are rounded for Q8_0 and I16, and
/// weights for I16.
std::vector<float> rounded_blocks(std::vector<float> values, float most) {
    constexpr size_t width = 32;
    for (size_t row = 0; row < values.size(); row += width) {
        float largest = 0;
        for (size_t i = row; i < row + width; i++) {
            largest = std::max(largest, std::fabs(values[i]));
        }
        for (size_t i = row; i < row + width && largest > 0; i++) {
            values[i] = std::nearbyint(values[i] * (most / largest)) * (largest / most);
        }
    }
    return values;
}

/// Rounds blocks of 32 to 128 steps between their minimum and maximum, one of which is 0, as AVX2's kernel rounds
/// inputs for Q8_0.
std::vector<float> rounded_ranges(std::vector<float> values) {
    constexpr size_t width = 32;
    for (size_t row = 0; row < values.size(); row += width) {
        float least = 0, most = 0;
        for (size_t i = row; i < row + width; i++) {
            least = std::min(least, values[i]);
            most = std::max(most, values[i]);
        }
        const float steps = 127 / (most - least), zero = std::nearbyint(-least * steps); // of 1
        for (size_t i = row; i < row + width && most > least; i++) {
            values[i] = (std::clamp(std::nearbyint(values[i] * steps) + zero, 0.0F, 127.0F) - zero) / steps;
        }
    }
    return values;
}

/// Rounds values to Q8_0, as ggml does.
std::vector<float> to_q8_0(const std::vector<float> & values) {
    const auto count = static_cast<int64_t>(values.size());
    std::vector<uint8_t> blocks(ggml_row_size(GGML_TYPE_Q8_0, count));
    ggml_quantize_chunk(GGML_TYPE_Q8_0, values.data(), blocks.data(), 0, 1, count, nullptr);
    std::vector<float> rounded(values.size());
    ggml_get_type_traits(GGML_TYPE_Q8_0)->to_float(blocks.data(), rounded.data(), count);
    return rounded;
}

/// While an object lives, convolutions are packed for direct computation.
struct Direct {
    Direct() { allow_conv1d_winograd(false); }
    ~Direct() { allow_conv1d_winograd(true); }
    Direct(const Direct &) = delete;
    Direct & operator=(const Direct &) = delete;
};

const Activation no_activation;

/// Computes a case with the current kernels.
std::vector<float> run(const Case & c, const PackedConv1d & conv, const Matrix & x, const Matrix & condition,
                       const Matrix & residual, int threads) {
    return compute({x, condition, residual}, threads,
                   [&](ggml_context * context, const std::vector<ggml_tensor *> & in) {
                       Conv1dOptions options;
                       options.left = c.left;
                       options.right = c.right;
                       options.input = c.input;
                       options.output = c.output;
                       options.condition = c.condition ? in[1] : nullptr;
                       options.residual = c.residual ? in[2] : nullptr;
                       return conv1d(context, in[0], conv, options);
                   });
}

/// Every scheme, with one and several segments of taps, and with fewer taps than the scheme takes; fewer outputs than a
/// tile, several tiles, and an incomplete last one; output blocks that are paired, single and incomplete; input that is
/// read in place and copied.
std::vector<Case> winograd_cases() {
    const Activation leaky = Activation::leaky(0.1F);
    return {
        {{32, 32, 3, 1, 1, 1}, 1000, 1, 1, leaky, no_activation, true, false, true},
        {{32, 48, 3, 1, 2, 1}, 97, 2, 2, no_activation, {Activation::relu}, true, true, false},
        {{48, 33, 4, 1, 3, 1}, 61, 0, 0, leaky, no_activation, false, false, true},
        {{64, 64, 5, 1, 6, 1}, 611, 12, 12, leaky, leaky, true, true, true},
        {{32, 32, 5, 1, 1, 1}, 5, 0, 0, no_activation, no_activation, true, false, false},
        {{64, 70, 6, 1, 1, 1}, 300, 0, 40, {Activation::tanh}, {Activation::tanh}, true, true, true},
        {{32, 32, 7, 1, 12, 1}, 1003, 36, 36, leaky, no_activation, true, false, true},
        {{128, 32, 7, 1, 3, 1}, 200, 18, 0, leaky, no_activation, true, false, false},
        {{32, 32, 8, 1, 1, 1}, 40, 7, 0, no_activation, no_activation, true, false, false},
        {{32, 64, 11, 1, 5, 1}, 333, 25, 25, leaky, no_activation, true, true, true},
        {{64, 32, 13, 1, 1, 1}, 100, 0, 0, leaky, no_activation, true, false, false},
        {{32, 32, 14, 1, 2, 1}, 75, 3, 60, no_activation, {Activation::gelu}, true, false, true},
        {{512, 32, 3, 1, 1, 1}, 70, 1, 1, no_activation, no_activation, true, false, false}, // rows that alias in the
                                                                                             // cache
    };
}

/// Computes a case by Winograd's algorithm in `type`, with each kernel, and by the formula. The sums are of magnitude
/// 1.
void for_each_winograd(ComputeType type, const Case & c, uint32_t seed,
                       const std::function<void(const std::vector<float> &, const std::vector<float> &)> & body) {
    const Conv1dShape & s = c.shape;
    const Matrix x = random_matrix(s.in_channels, c.frames, seed);
    auto w = random_values(static_cast<size_t>(s.out_channels * s.kernel_size * s.in_channels), seed + 1);
    const float size = 1 / std::sqrt(static_cast<float>(s.in_channels * s.kernel_size) / 9);
    std::transform(w.begin(), w.end(), w.begin(), [&](float value) { return size * value; });
    const auto bias = random_values(static_cast<size_t>(s.out_channels), seed + 2);
    for_each_kernel(type, [&] {
        const PackedConv1d conv(s, w.data(), c.bias ? bias.data() : nullptr, type);
        CHECK(conv.winograd() && conv.type() == type);
        const int64_t out = conv.out_frames(c.frames, c.left, c.right);
        const Matrix condition = random_matrix(s.out_channels, 1, seed + 3);
        const Matrix residual = random_matrix(s.out_channels, out, seed + 4);
        const std::vector<float> one = run(c, conv, x, condition, residual, 1);
        CHECK(one == run(c, conv, x, condition, residual, 3)); // with any number of threads
        body(one, reference(c, x, w, c.bias ? bias.data() : nullptr, c.condition ? condition.values.data() : nullptr,
                            c.residual ? residual.values.data() : nullptr));
        CHECK_EQ(one.size(), static_cast<size_t>(out * s.out_channels));
    });
}

/// The error relative to the expected values.
double relative_error(const std::vector<float> & actual, const std::vector<float> & expected) {
    double error = 0, power = 0;
    for (size_t i = 0; i < expected.size(); i++) {
        error += std::pow(actual[i] - expected[i], 2.0);
        power += std::pow(expected[i], 2.0);
    }
    return std::sqrt(error / power);
}

/// Rows of the weights of a linear layer, from memory.
WeightRows<float> linear_rows(const std::vector<float> & weights, int64_t in) {
    return [&weights, in](int64_t first, int64_t) { return weights.data() + first * in; };
}

} // namespace

TEST(matches_the_formula) {
    const std::vector<Case> cases = {
        {{1, 64, 128, 8, 1, 1}, 515, 120, 0, no_activation, {Activation::gelu}, true, false, false},
        {{64, 48, 10, 5, 1, 1}, 71, 5, 3, no_activation, no_activation, true, false, false},
        {{32, 32, 3, 1, 1, 1}, 24, 1, 1, Activation::leaky(0.1F), no_activation, true, false, true},
        {{17, 33, 7, 1, 5, 1}, 61, 15, 15, Activation::leaky(0.1F), Activation::leaky(0.2F), true, true, true},
        {{12, 20, 4, 3, 2, 4}, 40, 2, 9, {Activation::relu}, {Activation::tanh}, false, true, true},
        {{6, 6, 5, 1, 1, 6}, 13, 2, 2, {Activation::tanh}, {Activation::relu}, true, false, false},
        {{5, 1, 1, 1, 1, 1}, 1, 0, 0, no_activation, no_activation, true, false, false},
        {{3, 70, 9, 1, 1, 1}, 2, 4, 4, no_activation, no_activation, false, true, true},
        {{96, 80, 3, 1, 1, 1}, 401, 1, 1, no_activation, {Activation::relu}, true, true, false},
        {{256, 36, 3, 2, 1, 1}, 61, 0, 0, no_activation, no_activation, true, false, false}, // frames that alias in the
                                                                                             // cache
        {{8, 16, 2, 7, 3, 2}, 30, 0, 0, {Activation::gelu}, no_activation, true, false, true},
    };
    const Direct direct;
    for_each_kernel([&] {
        for (size_t i = 0; i < cases.size(); i++) {
            const Case & c = cases[i];
            const Conv1dShape & s = c.shape;
            const auto seed = static_cast<uint32_t>(100 * i);
            const Matrix x = random_matrix(s.in_channels, c.frames, seed);
            const auto w =
                random_values(static_cast<size_t>(s.out_channels * s.kernel_size * s.in_channels / s.groups), seed + 1);
            const auto bias = random_values(static_cast<size_t>(s.out_channels), seed + 2);
            const PackedConv1d conv(s, w.data(), c.bias ? bias.data() : nullptr);
            const int64_t out = conv.out_frames(c.frames, c.left, c.right);
            const Matrix condition = random_matrix(s.out_channels, 1, seed + 3);
            const Matrix residual = random_matrix(s.out_channels, out, seed + 4);
            const auto expected =
                reference(c, x, w, c.bias ? bias.data() : nullptr, c.condition ? condition.values.data() : nullptr,
                          c.residual ? residual.values.data() : nullptr);
            for (const int threads : {1, 2, 3}) {
                check_equal(run(c, conv, x, condition, residual, threads), expected);
            }
        }
    });
}

TEST(winograd_matches_the_formula) {
    uint32_t seed = 0;
    for (const Case & c : winograd_cases()) {
        for_each_winograd(ComputeType::f32, c, seed += 300, [](const auto & actual, const auto & expected) {
            for (size_t k = 0; k < expected.size(); k++) {
                CHECK_NEAR(actual[k], expected[k], 4e-5); // ten times the usual error, 4e-6 of a sum of products
            }
        });
    }
}

TEST(winograd_in_i16_is_as_accurate_as_bf16) {
    uint32_t seed = 0;
    for (const Case & c : winograd_cases()) {
        if (c.shape.in_channels % 32 == 0) { // whole blocks
            for_each_winograd(ComputeType::i16, c, seed += 300, [](const auto & actual, const auto & expected) {
                CHECK(relative_error(actual, expected) <
                      0.004); // the error of BF16's products: 2^-9 times the root of 2 / 3
            });
        }
    }
}

TEST(low_precision_types_are_computed_in_the_fastest_type) {
    const auto w = random_values(static_cast<size_t>(64 * 64 * 3), 31);
    for (const ComputeType type : {ComputeType::bf16, ComputeType::q8_0}) {
        const ComputeType computed = PackedConv1d({64, 64, 3}, w.data(), nullptr, type).type();
        const bool own = has_kernel(type, 64) && !conv1d_kernel(type).outdone_by_winograd;
        const bool fixed = has_kernel(ComputeType::i16, 64) && (!cpu_features().avx512 || cpu_features().avx512_vnni);
        CHECK(computed == (own ? type : fixed ? ComputeType::i16 : ComputeType::f32));
    }
    const ComputeType single = PackedConv1d({64, 1, 7}, w.data(), nullptr, ComputeType::bf16).type();
    CHECK(single == (has_kernel(ComputeType::bf16, 64) ? ComputeType::bf16 : ComputeType::f32));
}

TEST(winograd_rounds_weights_to_their_type) {
    const Conv1dShape shape = {32, 32, 3, 1, 1, 1};
    auto w = random_values(32 * 3 * 32, 21);
    const Matrix x = {32, 50, random_values(32 * 50, 22)};
    const auto run = [&](ComputeType type) {
        const PackedConv1d conv(shape, w.data(), nullptr, type);
        return std::make_pair(conv.type(), compute({x}, 1, [&](auto * context, const auto & in) {
                                  return conv1d_same(context, in[0], conv);
                              }));
    };
    // If it is computed in another type, the weights are rounded to BF16 first.
    const auto [bf16, actual] = run(ComputeType::bf16);
    std::transform(w.begin(), w.end(), w.begin(), to_bf16);
    CHECK(bf16 == ComputeType::bf16 || actual == run(bf16).second);
    w = to_q8_0(w); // as weights in a file are
    const auto [q8, dequantized] = run(ComputeType::q8_0);
    CHECK(q8 == ComputeType::q8_0 || dequantized == run(q8).second);
}

TEST(threads_do_not_share_the_frames_of_a_depthwise_convolution) {
    const Conv1dShape shape = {192, 192, 3, 1, 3, 192};
    const auto w = random_values(192 * 3, 41);
    const Matrix x = random_matrix(192, 340, 42); // one tile
    const PackedConv1d conv(shape, w.data(), nullptr);
    const auto run = [&](int threads) {
        return compute({x}, threads, [&](ggml_context * context, const std::vector<ggml_tensor *> & in) {
            ggml_tensor * y = in[0];
            for (int i = 0; i < 16; i++) { // threads that have met at a barrier begin the next node together
                y = conv1d_same(context, y, conv);
            }
            return y;
        });
    };
    const std::vector<float> one = run(1);
    for (int i = 0; i < 20; i++) {
        CHECK(run(2) == one);
    }
}

TEST(low_precision_types_round_weights_and_frames) {
    const Direct direct; // otherwise another type may be faster
    const std::vector<Case> cases = {
        {{32, 32, 3, 1, 1, 1}, 71, 1, 1, Activation::leaky(0.1F), no_activation, true, false, true},
        {{20, 33, 7, 1, 5, 1}, 61, 15, 15, Activation::leaky(0.1F), Activation::leaky(0.2F), true, true, true},
        {{24, 16, 4, 3, 2, 2}, 40, 2, 9, {Activation::tanh}, {Activation::tanh}, false, true, false},
        {{32, 70, 5, 1, 1, 1}, 25, 2, 2, no_activation, {Activation::relu}, true, false, false},
        {{1024, 18, 2, 2, 1, 1}, 26, 0, 0, no_activation, no_activation, true, false, false},
    };
    for (const ComputeType type : {ComputeType::bf16, ComputeType::q8_0, ComputeType::i16}) {
        for_each_kernel(type, [&] {
            for (size_t i = 0; i < cases.size(); i++) {
                Case c = cases[i];
                Conv1dShape & s = c.shape;
                if (type != ComputeType::bf16) { // whole blocks
                    s.in_channels =
                        s.in_channels / s.groups <= 20 ? 32 * s.groups : std::max(96 * s.groups, s.in_channels);
                }
                const auto seed = static_cast<uint32_t>(100 * i + 7);
                Matrix x = random_matrix(s.in_channels, c.frames, seed);
                for (int64_t k = 0; k < s.in_channels; k++) {
                    x.values[static_cast<size_t>(k)] = 0; // a silent frame
                }
                const int64_t row = s.kernel_size * s.in_channels / s.groups;
                auto w = random_values(static_cast<size_t>(s.out_channels * row), seed + 1);
                const auto bias = random_values(static_cast<size_t>(s.out_channels), seed + 2);
                const PackedConv1d conv(s, w.data(), c.bias ? bias.data() : nullptr, type);
                CHECK(conv.type() == type);
                const int64_t out = conv.out_frames(c.frames, c.left, c.right);
                const Matrix condition = random_matrix(s.out_channels, 1, seed + 3);
                const Matrix residual = random_matrix(s.out_channels, out, seed + 4);
                const std::vector<float> one = run(c, conv, x, condition, residual, 1);
                CHECK(one == run(c, conv, x, condition, residual, 3)); // with any number of threads
                Matrix heard = x;
                for (float & value : heard.values) {
                    value = activate(c.input, value);
                }
                if (type == ComputeType::q8_0) {
                    const bool ranges = conv1d_kernel(type).sum_weights != nullptr;
                    heard.values = ranges ? rounded_ranges(heard.values) : rounded_blocks(heard.values, 127);
                    w = to_q8_0(w);
                } else if (type == ComputeType::i16) {
                    heard.values = rounded_blocks(heard.values, i16_limit);
                    w = rounded_blocks(w, i16_limit);
                } else {
                    std::transform(heard.values.begin(), heard.values.end(), heard.values.begin(), to_bf16);
                    std::transform(w.begin(), w.end(), w.begin(), to_bf16);
                }
                c.input = no_activation;
                const auto expected = reference(c, heard, w, c.bias ? bias.data() : nullptr,
                                                c.condition ? condition.values.data() : nullptr,
                                                c.residual ? residual.values.data() : nullptr);
                CHECK_EQ(one.size(), expected.size());
                // A value between two steps may be rounded either way, because tanh and the sum of leaky differ in the
                // last bit. A step of Q8_0 is 1 / 127, that of a range up to 2 / 127.
                size_t apart = 0;
                for (size_t k = 0; k < one.size(); k++) {
                    apart += std::fabs(one[k] - expected[k]) > 1e-4F ? 1 : 0;
                    CHECK_NEAR(one[k], expected[k], 0.02);
                }
                CHECK(apart * 100 <= one.size());
            }
        });
    }
}

TEST(weights_come_a_few_rows_at_a_time) {
    const Conv1dShape shapes[] = {{64, 40, 3, 1, 2, 1}, {64, 72, 1, 1, 1, 2}, {6, 6, 5, 1, 1, 6}, {32, 1, 7, 1, 1, 1}};
    for (const Conv1dShape & shape : shapes) {
        const int64_t row = shape.kernel_size * shape.in_channels / shape.groups;
        const auto w = random_values(static_cast<size_t>(row * shape.out_channels), 12);
        const auto bias = random_values(static_cast<size_t>(shape.out_channels), 13);
        const Matrix x = random_matrix(shape.in_channels, 20, 14);
        for (const ComputeType type : {ComputeType::f32, ComputeType::bf16, ComputeType::q8_0, ComputeType::i16}) {
            int64_t next = 0;
            std::vector<float> some;
            const auto rows = [&](int64_t first, int64_t count) {
                CHECK(first == next && count <= 16);
                next += count;
                std::fill(some.begin(), some.end(), std::nanf("")); // overwrites what was read before
                some.resize(static_cast<size_t>(std::max(count * row, int64_t(some.size()))));
                std::copy_n(w.begin() + first * row, count * row, some.begin());
                return some.data();
            };
            const PackedConv1d packed(shape, rows, bias.data(), type);
            CHECK_EQ(next, shape.out_channels);
            const auto run = [&](const PackedConv1d & conv) {
                return compute({x}, 1, [&](ggml_context * context, const std::vector<ggml_tensor *> & in) {
                    return conv1d_same(context, in[0], conv);
                });
            };
            CHECK(run(packed) == run(PackedConv1d(shape, w.data(), bias.data(), type)));
        }
    }
}

TEST(a_frame_of_a_convolution_of_one_tap_does_not_depend_on_others) {
    const Conv1dShape shape = {2144, 90}; // computed in parts of its channels if there are many frames
    const auto w = random_values(2144 * 90, 51);
    const auto bias = random_values(90, 52);
    const Matrix x = random_matrix(2144, 300, 53), residual = random_matrix(90, 300, 54);
    for (const ComputeType type : {ComputeType::f32, ComputeType::bf16, ComputeType::q8_0, ComputeType::i16}) {
        for_each_kernel(type, [&] {
            const PackedConv1d conv(shape, w.data(), bias.data(), type);
            const auto run = [&](int64_t rows, int threads) {
                const auto first = [&](Matrix m) {
                    m.frames = rows;
                    m.values.resize(static_cast<size_t>(m.channels * rows));
                    return m;
                };
                return compute({first(x), first(residual)}, threads, [&](auto * context, const auto & in) {
                    Conv1dOptions options;
                    options.output = {Activation::gelu};
                    options.residual = in[1];
                    return conv1d(context, in[0], conv, options);
                });
            };
            const std::vector<float> all = run(300, 1);
            CHECK(run(300, 3) == all);
            for (const int64_t rows : {1, 7, 8, 40, 60}) {
                const std::vector<float> some = run(rows, 2);
                CHECK(std::equal(some.begin(), some.end(), all.begin()));
            }
        });
    }
}

TEST(a_linear_layer_may_have_many_outputs) {
    const auto w = random_values(320 * 7100, 55); // more outputs than are summed at once for 300 positions
    const Matrix x = random_matrix(320, 300, 56);
    const PackedLinear layer(320, 7100, linear_rows(w, 320), nullptr, ComputeType::f32);
    const auto run = [&](int64_t positions) {
        const Matrix some = {320, positions, {x.values.begin(), x.values.begin() + 320 * positions}};
        return compute({some}, 2, [&](auto * context, const auto & in) { return linear(context, in[0], layer); });
    };
    const std::vector<float> all = run(300), few = run(40);
    CHECK(std::equal(few.begin(), few.end(), all.begin()));
    CHECK(all.size() == 300 * 7100);
}

TEST(a_linear_layer_is_a_convolution_of_one_tap_without_padding) {
    const int64_t in = 544, out = 50; // two parts of its channels
    const auto w = random_values(static_cast<size_t>(in * out), 57);
    const auto bias = random_values(static_cast<size_t>(out), 58);
    for (const ComputeType type : {ComputeType::f32, ComputeType::bf16, ComputeType::q8_0, ComputeType::i16}) {
        const PackedLinear layer(in, out, linear_rows(w, in), bias.data(), type);
        const PackedConv1d conv({in, out}, w.data(), bias.data(), type);
        CHECK(layer.type() == conv.type() && layer.in_channels() == in && layer.out_channels() == out);
        for (const Activation & activation : {no_activation, Activation::leaky(0.2F), Activation{Activation::gelu}}) {
            for (const int64_t positions : {1, 7, 60}) {
                const Matrix x = random_matrix(in, positions, 59);
                Conv1dOptions options;
                options.output = activation;
                CHECK(compute({x}, 2, [&](auto * context, const auto & i) {
                          return linear(context, i[0], layer, activation);
                      }) == compute({x}, 2, [&](auto * context, const auto & i) {
                          return conv1d(context, i[0], conv, options);
                      }));
            }
        }
    }
}

TEST(a_linear_layer_matches_the_formula) {
    const Case c = {{70, 33}, 9, 0, 0, no_activation, {Activation::gelu}, true, false, false};
    const auto w = random_values(70 * 33, 60);
    const auto bias = random_values(33, 61);
    const Matrix x = random_matrix(70, 9, 62);
    for_each_kernel([&] {
        const PackedLinear layer(70, 33, linear_rows(w, 70), bias.data(), ComputeType::f32);
        check_equal(
            compute({x}, 2,
                    [&](auto * context, const auto & in) { return linear(context, in[0], layer, {Activation::gelu}); }),
            reference(c, x, w, bias.data(), nullptr, nullptr));
    });
}

TEST(a_linear_layer_takes_blocks_of_q8_0) {
    const auto w = random_values(64 * 40, 9);
    const auto bias = random_values(40, 10);
    const auto row_bytes = static_cast<int64_t>(ggml_row_size(GGML_TYPE_Q8_0, 64));
    std::vector<uint8_t> blocks(static_cast<size_t>(40 * row_bytes));
    ggml_quantize_chunk(GGML_TYPE_Q8_0, w.data(), blocks.data(), 0, 40, 64, nullptr);
    const std::vector<float> rounded = to_q8_0(w);
    const Matrix x = {64, 9, random_values(64 * 9, 11)};
    for_each_kernel(ComputeType::q8_0, [&] {
        const auto run = [&](const PackedLinear & layer) {
            return compute({x}, 2, [&](ggml_context * context, const std::vector<ggml_tensor *> & in) {
                return linear(context, in[0], layer);
            });
        };
        const auto rows = [&](int64_t first, int64_t) { return blocks.data() + first * row_bytes; };
        CHECK(run(PackedLinear::of_q8_0(64, 40, rows, bias.data())) ==
              run(PackedLinear(64, 40, linear_rows(rounded, 64), bias.data(), ComputeType::q8_0)));
    });
}

TEST(a_linear_layer_refuses_sizes_that_do_not_fit) {
    const std::vector<float> w(64, 0.0F);
    CHECK_THROWS(PackedLinear(0, 4, linear_rows(w, 0), nullptr, ComputeType::f32));
    CHECK_THROWS(PackedLinear::of_q8_0(33, 1, [](int64_t, int64_t) { return nullptr; }, nullptr)); // not whole blocks
    const PackedLinear layer(4, 16, linear_rows(w, 4), nullptr, ComputeType::f32);
    ggml_init_params params = {ggml_tensor_overhead() * 8, nullptr, true};
    const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(ggml_init(params), ggml_free);
    CHECK_THROWS(linear(context.get(), ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 5, 9), layer));
    CHECK_THROWS(linear(context.get(), ggml_new_tensor_2d(context.get(), GGML_TYPE_F16, 4, 9), layer));
    CHECK_THROWS(linear(context.get(), ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 4, 0), layer));
}

TEST(a_type_that_does_not_fit_is_computed_in_f32) {
    const auto w = random_values(16 * 3 * 3, 5);
    std::vector<float> rounded = w;
    std::transform(w.begin(), w.end(), rounded.begin(), to_bf16);
    const PackedConv1d conv({3, 16, 3, 1, 1, 1}, w.data(), nullptr,
                            ComputeType::bf16); // 3 channels do not fill the lanes
    CHECK(conv.type() == ComputeType::f32);
    const Matrix x = {3, 20, random_values(60, 6)};
    const Case c = {{3, 16, 3, 1, 1, 1}, 20, 1, 1, no_activation, no_activation, false, false, false};
    check_equal(compute({x}, 2,
                        [&](ggml_context * context, const std::vector<ggml_tensor *> & in) {
                            return conv1d_same(context, in[0], conv);
                        }),
                reference(c, x, rounded, nullptr, nullptr, nullptr));
}

TEST(reads_views_with_a_stride) {
    const Matrix x = {24, 30, random_values(720, 1)};
    const auto w = random_values(16 * 3 * 8, 2);
    const PackedConv1d conv({8, 16, 3, 1, 1, 1}, w.data(), nullptr);
    Matrix middle = {8, 20, {}};
    for (size_t t = 5; t < 25; t++) {
        for (size_t c = 0; c < 8; c++) {
            middle.values.push_back(x.values[t * 24 + 8 + c]);
        }
    }
    const Case c = {{8, 16, 3, 1, 1, 1}, 20, 1, 1, no_activation, no_activation, false, false, false};
    for_each_kernel([&] {
        check_equal(compute({x}, 2,
                            [&](ggml_context * context, const std::vector<ggml_tensor *> & in) {
                                ggml_tensor * view = ggml_view_2d(context, in[0], 8, 20, in[0]->nb[1],
                                                                  5 * in[0]->nb[1] + 8 * sizeof(float));
                                return conv1d_same(context, view, conv);
                            }),
                    reference(c, middle, w, nullptr, nullptr, nullptr));
    });
}

TEST(writes_into_other_rows) {
    const Matrix x = random_matrix(32, 30, 31);
    const Matrix around = random_matrix(32, 40, 32); // its rows 4 .. 34 are written
    const Matrix residual = random_matrix(32, 30, 33);
    const auto w = random_values(32 * 3 * 32, 34);
    const PackedConv1d conv({32, 32, 3, 1, 1, 1}, w.data(), nullptr);
    const auto run = [&](bool into) {
        return compute({x, around, residual}, 2, [&](ggml_context * context, const std::vector<ggml_tensor *> & in) {
            Conv1dOptions options;
            options.residual = in[2];
            options.into = into ? in[1] : nullptr;
            options.into_first = into ? 4 : 0;
            return conv1d_same(context, in[0], conv, options);
        });
    };
    std::vector<float> expected = around.values;
    const std::vector<float> rows = run(false);
    std::copy(rows.begin(), rows.end(), expected.begin() + 4 * 32);
    CHECK(run(true) == expected);
}

TEST(transposed_matches_the_formula) {
    struct Transposed {
        Conv1dShape shape;
        int64_t drop, frames;
    };
    const std::vector<Transposed> cases = {
        {{32, 16, 11, 5}, 3, 9}, {{20, 33, 4, 2}, 1, 30}, {{16, 16, 16, 8}, 4, 5}, {{88, 1, 139, 20}, 61, 23},
        {{3, 2, 3, 4}, 0, 6},    {{4, 5, 2, 2}, 0, 1},    {{2, 3, 7, 3}, 6, 4},
    };
    for (size_t i = 0; i < cases.size(); i++) {
        const Conv1dShape & s = cases[i].shape;
        const int64_t frames = cases[i].frames;
        const auto seed = static_cast<uint32_t>(1000 + 10 * i);
        const Matrix x = random_matrix(s.in_channels, frames, seed);
        const auto w = random_values(static_cast<size_t>(s.out_channels * s.kernel_size * s.in_channels), seed + 1);
        const auto bias = random_values(static_cast<size_t>(s.out_channels), seed + 2);
        std::vector<float> expected(static_cast<size_t>(frames * s.stride * s.out_channels));
        for (int64_t n = 0; n < frames * s.stride; n++) {
            for (int64_t o = 0; o < s.out_channels; o++) {
                double sum = bias[static_cast<size_t>(o)];
                for (int64_t t = 0; t < frames; t++) {
                    const int64_t k = n + cases[i].drop - t * s.stride;
                    for (int64_t c = 0; k >= 0 && k < s.kernel_size && c < s.in_channels; c++) {
                        const float value = x.values[static_cast<size_t>(t * s.in_channels + c)];
                        sum += static_cast<double>(value > 0 ? value : 0.1F * value) *
                               w[static_cast<size_t>((o * s.kernel_size + k) * s.in_channels + c)];
                    }
                }
                expected[static_cast<size_t>(n * s.out_channels + o)] = static_cast<float>(sum);
            }
        }
        const PackedConv1d conv = PackedConv1d::transposed(s, cases[i].drop, w.data(), bias.data());
        CHECK_EQ(conv.out_channels(), s.out_channels);
        for_each_kernel([&] {
            for (const int threads : {1, 2}) {
                check_equal(compute({x}, threads,
                                    [&](ggml_context * context, const std::vector<ggml_tensor *> & in) {
                                        Conv1dOptions options;
                                        options.input = Activation::leaky(0.1F);
                                        return conv1d_same(context, in[0], conv, options);
                                    }),
                            expected);
            }
        });
    }
}

TEST(transposed_rounds_little_in_low_precision_types) {
    const Conv1dShape s = {32, 20, 16, 8};
    const Matrix x = {s.in_channels, 30, random_values(960, 1)};
    const auto w = random_values(static_cast<size_t>(s.out_channels * s.kernel_size * s.in_channels), 2);
    const auto bias = random_values(static_cast<size_t>(s.out_channels), 3);
    const auto run = [&](ComputeType type) {
        const PackedConv1d conv = PackedConv1d::transposed(s, 4, w.data(), bias.data(), type);
        return compute({x}, 2, [&](ggml_context * context, const std::vector<ggml_tensor *> & in) {
            Conv1dOptions options;
            options.input = Activation::leaky(0.1F);
            return conv1d_same(context, in[0], conv, options);
        });
    };
    const std::vector<float> exact = run(ComputeType::f32);
    for (const ComputeType type : {ComputeType::bf16, ComputeType::q8_0, ComputeType::i16}) {
        for_each_kernel(type, [&] {
            CHECK(relative_error(run(type), exact) < 0.01); // 8 bits of mantissa, or steps of 1 / 127
        });
    }
}

TEST(refuses_sizes_that_do_not_fit) {
    const std::vector<float> w(64, 0.0F);
    CHECK_THROWS(PackedConv1d({0, 4, 1, 1, 1, 1}, w.data(), nullptr));
    CHECK_THROWS(PackedConv1d({4, 4, 1, 0, 1, 1}, w.data(), nullptr));
    CHECK_THROWS(PackedConv1d({4, 6, 1, 1, 1, 4}, w.data(), nullptr));
    CHECK_THROWS(PackedConv1d::transposed({4, 4, 2, 2, 1, 1}, 2, w.data(), nullptr));
    const PackedConv1d conv({4, 4, 3, 1, 1, 1}, w.data(), nullptr);
    ggml_init_params params = {ggml_tensor_overhead() * 8, nullptr, true};
    const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(ggml_init(params), ggml_free);
    ggml_tensor * x = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 4, 2);
    CHECK_THROWS(conv1d(context.get(), x, conv)); // shorter than the kernel
    CHECK_THROWS(conv1d(context.get(), ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 5, 9), conv));
    CHECK_THROWS(conv1d(context.get(), ggml_new_tensor_2d(context.get(), GGML_TYPE_F16, 4, 9), conv));
    Conv1dOptions options;
    options.condition = x;
    CHECK_THROWS(conv1d_same(context.get(), x, conv, options));
    options.condition = nullptr;
    options.into = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 4, 3);
    options.into_first = 2; // the result has two frames, and there is room for one
    CHECK_THROWS(conv1d_same(context.get(), x, conv, options));
    options.into_first = -1;
    CHECK_THROWS(conv1d_same(context.get(), x, conv, options));
}
