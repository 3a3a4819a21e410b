#include "conv.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace moss {

namespace {

std::vector<float> to_floats(const ggml_tensor * tensor) {
    const auto count = static_cast<size_t>(ggml_nelements(tensor));
    std::vector<float> values(count);
    if (tensor->type == GGML_TYPE_F32) {
        ggml_backend_tensor_get(tensor, values.data(), 0, count * sizeof(float));
        return values;
    }
    std::vector<uint8_t> raw(ggml_nbytes(tensor));
    ggml_backend_tensor_get(tensor, raw.data(), 0, raw.size());
    ggml_get_type_traits(tensor->type)->to_float(raw.data(), values.data(), ggml_nelements(tensor));
    return values;
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
    std::vector<float> weight =
        to_floats(weights.get(name + ".weight", {inputs * shape.kernel_size, shape.out_channels}));
    std::vector<float> bias = to_floats(weights.get_f32(name + ".bias", {shape.out_channels}));
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
    return {shape, weight.data(), bias.data()};
}

PackedConv1d load_filter1d(const Weights & weights, const std::string & name, const Conv1dShape & shape) {
    const int64_t inputs = shape.in_channels / shape.groups;
    return {shape, to_floats(weights.get(name, {inputs * shape.kernel_size, shape.out_channels})).data(), nullptr};
}

PackedConv1d load_conv_transpose1d(const Weights & weights, const std::string & weight_name,
                                   const std::string & bias_name, const Conv1dShape & shape, int64_t drop) {
    const std::vector<float> weight =
        to_floats(weights.get(weight_name, {shape.in_channels * shape.kernel_size, shape.out_channels}));
    std::vector<float> bias(static_cast<size_t>(shape.out_channels), 0.0F);
    if (!bias_name.empty()) {
        bias = to_floats(weights.get_f32(bias_name, {shape.out_channels}));
    }
    return PackedConv1d::transposed(shape, drop, weight.data(), bias.data());
}

} // namespace moss
