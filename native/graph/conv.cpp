#include "conv.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace moss {

namespace {

struct Filter {
    std::vector<float> values;
    ConvType type;
};

/// The tensor [row, outputs].
Filter load_filter(const Weights & weights, const std::string & name, int64_t row, int64_t outputs) {
    const ggml_type type = weights.type(name, {row, outputs});
    Filter filter = {weights.values(name, {row, outputs}), ConvType::f32};
    if (type == GGML_TYPE_BF16) {
        filter.type = ConvType::bf16;
    } else if (type == GGML_TYPE_Q8_0) {
        filter.type = ConvType::q8_0;
    }
    return filter;
}

/// Rows of `width` values in reverse order.
void reverse_rows(std::vector<float> & values, int64_t width) {
    const auto rows = static_cast<int64_t>(values.size()) / width;
    for (int64_t low = 0, high = rows - 1; low < high; low++, high--) {
        std::swap_ranges(values.begin() + low * width, values.begin() + (low + 1) * width,
                         values.begin() + high * width);
    }
}

} // namespace

PackedConv1d load_conv1d(const Weights & weights, const std::string & name, const Conv1dShape & shape,
                         const ConvEdit & edit) {
    const int64_t inputs = shape.in_channels / shape.groups;
    Filter filter = load_filter(weights, name + ".weight", inputs * shape.kernel_size, shape.out_channels);
    std::vector<float> & weight = filter.values;
    std::vector<float> bias = weights.values(name + ".bias", {shape.out_channels});
    if (edit.reverse_inputs) {
        for (auto row = weight.begin(); row != weight.end(); row += inputs) { // of one tap
            std::reverse(row, row + inputs);
        }
    }
    if (edit.reverse_outputs) {
        reverse_rows(weight, inputs * shape.kernel_size);
        std::reverse(bias.begin(), bias.end());
    }
    if (edit.negate) {
        for (std::vector<float> * values : {&weight, &bias}) {
            std::transform(values->begin(), values->end(), values->begin(), std::negate<>());
        }
    }
    return {shape, weight.data(), bias.data(), filter.type};
}

PackedConv1d load_filter1d(const Weights & weights, const std::string & name, const Conv1dShape & shape) {
    const int64_t inputs = shape.in_channels / shape.groups;
    const Filter filter = load_filter(weights, name, inputs * shape.kernel_size, shape.out_channels);
    return {shape, filter.values.data(), nullptr, filter.type};
}

PackedConv1d load_conv_transpose1d(const Weights & weights, const std::string & weight_name,
                                   const std::string & bias_name, const Conv1dShape & shape, int64_t drop) {
    const Filter filter = load_filter(weights, weight_name, shape.in_channels * shape.kernel_size, shape.out_channels);
    std::vector<float> bias(static_cast<size_t>(shape.out_channels), 0.0F);
    if (!bias_name.empty()) {
        bias = weights.values(bias_name, {shape.out_channels});
    }
    return PackedConv1d::transposed(shape, drop, filter.values.data(), bias.data(), filter.type);
}

std::shared_ptr<const PackedConv1d> load_linear(const Weights & weights, const std::string & name, int64_t in,
                                                int64_t out, bool with_bias) {
    const ggml_type type = weights.type(name + ".weight", {in, out});
    if (type != GGML_TYPE_F32 && type != GGML_TYPE_BF16 && type != GGML_TYPE_Q8_0) {
        return nullptr;
    }
    std::vector<float> bias;
    if (with_bias) {
        bias = weights.values(name + ".bias", {out});
    }
    if (type == GGML_TYPE_Q8_0) {
        if (!PackedConv1d::has_kernel(ConvType::q8_0)) {
            return nullptr;
        }
        const std::vector<uint8_t> blocks = weights.raw(name + ".weight", {in, out});
        return std::make_shared<const PackedConv1d>(
            PackedConv1d::linear_q8_0(in, out, blocks.data(), with_bias ? bias.data() : nullptr));
    }
    const Filter filter = load_filter(weights, name + ".weight", in, out);
    auto linear = std::make_shared<const PackedConv1d>(Conv1dShape{in, out}, filter.values.data(),
                                                       with_bias ? bias.data() : nullptr, filter.type);
    return linear->type() == filter.type ? linear : nullptr; // in F32 it would take more memory than it must
}

} // namespace moss
