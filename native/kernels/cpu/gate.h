// WaveNet's gated activation, as one operation of a ggml graph.

#pragma once

#include "ggml.h"

namespace moss {

/// x [2 C, T] F32 (rows of any stride) -> tanh(first half) * sigmoid(second half) [C, T], within 2e-7 of the exact
/// value. Throws std::invalid_argument when it does not fit.
ggml_tensor * gate(ggml_context * context, ggml_tensor * x);

} // namespace moss
