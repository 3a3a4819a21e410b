// Loading of convolutions for the direct kernels (kernels/cpu/conv1d.h).

#pragma once

#include "weights.h"

#include "../kernels/cpu/conv1d.h"

#include <memory>
#include <string>

namespace moss {

/// A change to a convolution's weights when they are packed.
struct ConvEdit {
    bool reverse_inputs = false;  ///< input channels in reverse order
    bool reverse_outputs = false; ///< output channels in reverse order
    bool negate = false;          ///< weights and bias times -1
};

inline ConvEdit reversed_inputs(bool reversed) {
    ConvEdit edit;
    edit.reverse_inputs = reversed;
    return edit;
}

// The weights' type decides in what they multiply (ConvType): BF16 and Q8_0 as such, every other type in F32.

/// `name.weight` [Cin / groups * kernel, Cout], input channel fastest, and `name.bias` [Cout]. Throws model_format.
PackedConv1d load_conv1d(const Weights & weights, const std::string & name, const Conv1dShape & shape,
                         const ConvEdit & edit = {});

/// A convolution without bias, whose weight's name is `name` itself. Throws model_format.
PackedConv1d load_filter1d(const Weights & weights, const std::string & name, const Conv1dShape & shape);

/// A transposed convolution, its output cut by `drop` (PackedConv1d::transposed): tensor `weight_name` [Cin * kernel,
/// Cout], and `bias_name` [Cout], empty for none. Throws model_format.
PackedConv1d load_conv_transpose1d(const Weights & weights, const std::string & weight_name,
                                   const std::string & bias_name, const Conv1dShape & shape, int64_t drop);

/// A linear layer as a convolution of width 1: `name.weight` [in, out] and, where it has one, `name.bias` [out]. Null
/// where ggml's own product serves better: other devices, types other than F32, BF16 and Q8_0 (and small matrices in
/// F16), CPUs without a kernel for them. Throws model_format.
std::shared_ptr<const PackedConv1d> load_linear(const Weights & weights, const std::string & name, int64_t in,
                                                int64_t out, bool with_bias);

} // namespace moss
