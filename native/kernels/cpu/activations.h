// Activations: those that are fused into convolutions and linear layers, and those that are ggml operations of their
// own.

#pragma once

#include "ggml.h"

#include <cstdint>

namespace moss {

/// An activation that a convolution or a linear layer applies to what it reads or writes.
struct Activation {
    enum Kind : int32_t { none, relu, leaky_relu, tanh, gelu }; // gelu is PyTorch's default, computed with erf
    Kind kind = none;
    float slope = 0.0F; ///< of leaky_relu, for values below zero

    static Activation leaky(float slope) { return {leaky_relu, slope}; }

    /// Whether the activation is max(x, 0) + negative_slope() * min(x, 0), as none, relu and leaky_relu are.
    bool piecewise_linear() const { return kind == none || kind == relu || kind == leaky_relu; }
    /// The factor of values below zero of a piecewise linear activation.
    float negative_slope() const { return kind == relu ? 0.0F : kind == leaky_relu ? slope : 1.0F; }
};

/// x [2 C, T] F32 (rows of any stride) -> tanh(first half) * sigmoid(second half) [C, T], within 2e-7 of the exact
/// value. Throws std::invalid_argument if x has another shape or type.
ggml_tensor * gate(ggml_context * context, ggml_tensor * x);

/// PyTorch's default GELU (with erf), within 1e-7 |x|, of x [C, ...] F32, contiguous; the result has the shape of x.
/// Faster than ggml's own operation, which calls erff for every value. Throws std::invalid_argument if x has another
/// type or layout.
ggml_tensor * gelu(ggml_context * context, ggml_tensor * x);

} // namespace moss
