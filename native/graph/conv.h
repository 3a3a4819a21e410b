// Loading of convolutions and linear layers for our kernels (kernels/cpu/conv1d.h and linear.h).

#pragma once

#include "weights.h"

#include "../kernels/cpu/conv1d.h"
#include "../kernels/cpu/linear.h"

#include <optional>
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

/// A leaky ReLU before the convolution.
inline Conv1dOptions leaky_input(float slope) {
    Conv1dOptions options;
    options.input = Activation::leaky(slope);
    return options;
}

// The type in which a tensor is stored decides the type in which it is computed: BF16 and Q8_0 are computed as such,
// every other type in F32. Where the CPU has no kernel for that type, PackedConv1d and PackedLinear choose another one.

/// `name.weight` [Cin / groups * kernel, Cout], input channel fastest, and `name.bias` [Cout]. Throws model_format.
PackedConv1d load_conv1d(const Weights & weights, const std::string & name, const Conv1dShape & shape,
                         const ConvEdit & edit = {});

/// A convolution without bias. `name` is the full name of its weight tensor. Throws model_format.
PackedConv1d load_filter1d(const Weights & weights, const std::string & name, const Conv1dShape & shape);

/// A transposed convolution, its output cut by `drop` (PackedConv1d::transposed): tensor `weight_name` [Cin * kernel,
/// Cout], and `bias_name` [Cout], empty for none. Throws model_format.
PackedConv1d load_conv_transpose1d(const Weights & weights, const std::string & weight_name,
                                   const std::string & bias_name, const Conv1dShape & shape, int64_t drop);

/// A linear layer packed for our kernels: `name.weight` [in, out] and, if `with_bias`, `name.bias` [out]. Empty where
/// ggml's own matrix product is the better choice: on devices other than the CPU, for types other than F32, BF16 and
/// Q8_0 (small F16 matrices are packed, too), and on CPUs without a kernel for the type. Throws model_format.
std::optional<PackedLinear> load_linear(const Weights & weights, const std::string & name, int64_t in, int64_t out,
                                        bool with_bias);

/// The output layer of a language model, whose weights are also its embeddings: a layer without bias that has_rows().
/// Empty where load_linear() would be, and for types that are not kept as they are in the file. Throws model_format.
std::optional<PackedLinear> load_linear_with_rows(const Weights & weights, const std::string & name, int64_t in,
                                                  int64_t out);

} // namespace moss
