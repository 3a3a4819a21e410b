#include "conv.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace moss {

namespace {

/// The compute type for weights that are stored in `type`.
ComputeType compute_type(ggml_type type) {
    return type == GGML_TYPE_BF16 ? ComputeType::bf16 : type == GGML_TYPE_Q8_0 ? ComputeType::q8_0 : ComputeType::f32;
}

/// Reverses the order of `rows` rows of `width` values.
void reverse_rows(float * values, int64_t rows, int64_t width) {
    for (int64_t low = 0, high = rows - 1; low < high; low++, high--) {
        std::swap_ranges(values + low * width, values + (low + 1) * width, values + high * width);
    }
}

} // namespace

PackedConv1d load_conv1d(const Weights & weights, const std::string & name, const Conv1dShape & shape,
                         const ConvEdit & edit) {
    const int64_t inputs = shape.in_channels / shape.groups, width = inputs * shape.kernel_size;
    TensorRows rows(weights, name + ".weight", {width, shape.out_channels});
    std::vector<float> bias = weights.values(name + ".bias", {shape.out_channels});
    const auto edited = [&](int64_t first, int64_t count) {
        float * weight = rows.values(edit.reverse_outputs ? shape.out_channels - first - count : first, count);
        if (edit.reverse_outputs) {
            reverse_rows(weight, count, width);
        }
        if (edit.reverse_inputs) {
            for (float * row = weight; row != weight + count * width; row += inputs) { // the row of one tap
                std::reverse(row, row + inputs);
            }
        }
        if (edit.negate) {
            std::transform(weight, weight + count * width, weight, std::negate<>());
        }
        return weight;
    };
    if (edit.reverse_outputs) {
        std::reverse(bias.begin(), bias.end());
    }
    if (edit.negate) {
        std::transform(bias.begin(), bias.end(), bias.begin(), std::negate<>());
    }
    return {shape, edited, bias.data(), compute_type(rows.type())};
}

PackedConv1d load_filter1d(const Weights & weights, const std::string & name, const Conv1dShape & shape) {
    const int64_t inputs = shape.in_channels / shape.groups;
    TensorRows rows(weights, name, {inputs * shape.kernel_size, shape.out_channels});
    return {shape, [&](int64_t first, int64_t count) { return rows.values(first, count); }, nullptr,
            compute_type(rows.type())};
}

PackedConv1d load_conv_transpose1d(const Weights & weights, const std::string & weight_name,
                                   const std::string & bias_name, const Conv1dShape & shape, int64_t drop) {
    const Shape expected = {shape.in_channels * shape.kernel_size, shape.out_channels};
    const std::vector<float> weight = weights.values(weight_name, expected);
    std::vector<float> bias(static_cast<size_t>(shape.out_channels), 0.0F);
    if (!bias_name.empty()) {
        bias = weights.values(bias_name, {shape.out_channels});
    }
    return PackedConv1d::transposed(shape, drop, weight.data(), bias.data(),
                                    compute_type(weights.type(weight_name, expected)));
}

std::optional<PackedLinear> load_linear(const Weights & weights, const std::string & name, int64_t in, int64_t out,
                                        bool with_bias) {
    if (!weights.device().runs_our_kernels()) {
        return std::nullopt;
    }
    TensorRows rows(weights, name + ".weight", {in, out});
    const ComputeType type = compute_type(rows.type());
    const bool own = has_kernel(type, in);
    // Matrices that are left to ggml take no more memory than in the file. But on ARM, its products of F16 matrices
    // depend on how many positions are multiplied at once, so that the results of a stream would depend on how it is
    // cut into pieces. Small F16 matrices are therefore computed by our kernels in F32.
    constexpr int64_t small = 1 << 16;
    const bool as_floats = rows.type() == GGML_TYPE_F32 || (rows.type() == GGML_TYPE_F16 && in * out <= small);
    if ((own ? type : fallback_type(in)) == ComputeType::f32 && !as_floats) {
        return std::nullopt;
    }
    std::vector<float> values;
    if (with_bias) {
        values = weights.values(name + ".bias", {out});
    }
    const float * bias = with_bias ? values.data() : nullptr;
    if (own && type == ComputeType::q8_0) {
        return PackedLinear::of_q8_0(
            in, out, [&](int64_t first, int64_t count) { return rows.bytes(first, count); }, bias);
    }
    const auto floats = [&](int64_t first, int64_t count) { return rows.values(first, count); };
    return PackedLinear(in, out, floats, bias, type);
}

std::optional<PackedLinear> load_linear_with_rows(const Weights & weights, const std::string & name, int64_t in,
                                                  int64_t out) {
    const ggml_type type = weights.type(name + ".weight", {in, out});
    if (type != GGML_TYPE_F32 && type != GGML_TYPE_Q8_0) {
        return std::nullopt;
    }
    std::optional<PackedLinear> layer = load_linear(weights, name, in, out, false);
    return layer && layer->has_rows() ? layer : std::nullopt;
}

} // namespace moss
