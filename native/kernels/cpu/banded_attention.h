// Self-attention within a band, with relative positions (VITS' text encoder) or without (a bidirectional speech
// encoder), as an operation of a ggml graph. Its memory does not grow with Tk * Tq.

#pragma once

#include "ggml.h"

#include <cstdint>

namespace moss {

/// Which keys a query sees. Query i is at the position of key i + offset.
struct Band {
    int64_t left = 0;   ///< keys before the query's position
    int64_t right = 0;  ///< keys after the query's position
    int64_t offset = 0; ///< position of query 0
};

/// Embeddings of relative positions (Shaw et al. 2018), [D, 2 w + 1] each, contiguous F32, shared by the heads: for
/// |key - query| <= w, q * k is added to the score and v to the value. Null if there are none.
struct RelativePositions {
    ggml_tensor * k = nullptr;
    ggml_tensor * v = nullptr;
};

/// Softmax attention within a band. q [H * D, Tq], k and v [H * D, Tk], F32 with contiguous rows. Scores are scaled by
/// 1 / sqrt(D). -> [H * D, Tq]. Throws std::invalid_argument if the shapes do not match or a query would see no key.
ggml_tensor * banded_attention(ggml_context * context, ggml_tensor * q, ggml_tensor * k, ggml_tensor * v, int64_t heads,
                               const Band & band, const RelativePositions & relative = {});

} // namespace moss
