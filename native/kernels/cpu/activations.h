// Activations: those that are fused into convolutions and linear layers, and those that are operations of a ggml graph.

#pragma once

#include "ggml.h"

#include <cstdint>

namespace moss {

/// An activation that a convolution or a linear layer applies to what it reads or writes.
struct Activation {
    enum Kind : int32_t { none, relu, leaky_relu, tanh, gelu }; // gelu is PyTorch's exact one, by erf
    Kind kind = none;
    float slope = 0.0F; ///< of leaky_relu below zero

    static Activation leaky(float slope) { return {leaky_relu, slope}; }

    /// Whether it is max(x, 0) + negative_slope() * min(x, 0): none, relu and leaky_relu are.
    bool piecewise_linear() const { return kind == none || kind == relu || kind == leaky_relu; }
    /// The factor of values below zero, where piecewise_linear().
    float negative_slope() const { return kind == relu ? 0.0F : kind == leaky_relu ? slope : 1.0F; }
};

/// x [2 C, T] F32 (rows of any stride) -> tanh(first half) * sigmoid(second half) [C, T], within 2e-7 of the exact
/// value. Throws std::invalid_argument when it does not fit.
ggml_tensor * gate(ggml_context * context, ggml_tensor * x);

/// GELU as PyTorch's exact one (by erf), within 1e-7 |x|: x [C, ...] F32, contiguous, and the result's shape is x's.
/// Throws std::invalid_argument when it does not fit. ggml's own calls erff for every value.
ggml_tensor * gelu(ggml_context * context, ggml_tensor * x);

} // namespace moss
