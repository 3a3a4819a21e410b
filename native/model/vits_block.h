// A block of VITS' text encoder: attention with relative positions and a convolutional feed-forward, each followed by a
// layer norm (post-norm). This is only its weights: nano's decoder runs the block as a stream, imported voices run it
// on whole sentences.

#pragma once

#include "../graph/conv.h"
#include "../graph/layers.h"

#include <string>

namespace moss {

struct VitsBlockShape {
    int64_t hidden = 0;
    int64_t heads = 0;
    int64_t ffn = 0;
    int64_t ffn_kernel = 0;
    int64_t window = 0; // relative positions reach +-window units
    float norm_epsilon = 1e-5F;
};

struct VitsBlock {
    /// Tensors `name`.*. Throws model_format.
    VitsBlock(const VitsBlockShape & shape, const Weights & weights, const std::string & name);

    PackedConv1d q, k, v,
        o;               // packed for our kernels, so that a unit's result does not depend on how many units there are
    ggml_tensor * rel_k; // [D, 2 w + 1]
    ggml_tensor * rel_v;
    LayerNorm attn_norm, ffn_norm;
    PackedConv1d ffn_in, ffn_out;
};

} // namespace moss
