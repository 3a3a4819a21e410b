// Activations as operations of a ggml graph.

#pragma once

#include "ggml.h"

namespace moss {

/// x [2 C, T] F32 (rows of any stride) -> tanh(first half) * sigmoid(second half) [C, T], within 2e-7 of the exact
/// value. Throws std::invalid_argument when it does not fit.
ggml_tensor * gate(ggml_context * context, ggml_tensor * x);

/// GELU as PyTorch's exact one (by erf), within 1e-7 |x|: x [C, ...] F32, contiguous, and the result's shape is x's.
/// Throws std::invalid_argument when it does not fit. ggml's own calls erff for every value.
ggml_tensor * gelu(ggml_context * context, ggml_tensor * x);

} // namespace moss
