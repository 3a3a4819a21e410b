// Banded attention with relative positions, as an operation of a ggml graph (VITS' text encoder).

#pragma once

#include "ggml.h"

#include <cstdint>

namespace moss {

/// Which keys a query sees. Query i stands at key i + offset.
struct Band {
    int64_t left = 0;   ///< keys before its own
    int64_t right = 0;  ///< and after it
    int64_t offset = 0; ///< of query 0
};

/// Softmax attention within a band. q [H * D, Tq], k and v [H * D, Tk], F32 with contiguous rows; relative_k and
/// relative_v [D, 2 w + 1], contiguous F32, shared by the heads: for |key - query| <= w, q * relative_k is added to the
/// score and relative_v to the value. Scores are scaled by 1 / sqrt(D). -> [H * D, Tq]. Throws std::invalid_argument
/// when a shape does not fit or a query would see no key.
ggml_tensor * relative_attention(ggml_context * context, ggml_tensor * q, ggml_tensor * k, ggml_tensor * v,
                                 ggml_tensor * relative_k, ggml_tensor * relative_v, int64_t heads, const Band & band);

} // namespace moss
