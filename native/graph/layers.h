// Building blocks over ggml. Everywhere ne0 is the channel and ne1 the time: [C, T].

#pragma once

#include "graph.h"
#include "weights.h"

#include <string>

namespace moss {

/// y = W x + b. W [in, out] of any matrix type; the bias may be absent.
struct Linear {
    ggml_tensor * weight = nullptr;
    ggml_tensor * bias = nullptr;

    Linear() = default;
    Linear(const Weights & weights, const std::string & name, int64_t in, int64_t out, bool with_bias = true);
    ggml_tensor * operator()(Graph & g, ggml_tensor * x) const; // [in, T] -> [out, T]
};

/// PyTorch's LayerNorm over the channels.
struct LayerNorm {
    ggml_tensor * weight = nullptr;
    ggml_tensor * bias = nullptr;
    float epsilon = 1e-5f;

    LayerNorm() = default;
    LayerNorm(const Weights & weights, const std::string & name, int64_t size, float eps);
    ggml_tensor * operator()(Graph & g, ggml_tensor * x) const; // [C, T] -> [C, T]
};

/// Qwen3's RMSNorm over ne0.
struct RmsNorm {
    ggml_tensor * weight = nullptr;
    float epsilon = 1e-6f;

    RmsNorm() = default;
    RmsNorm(const Weights & weights, const std::string & name, int64_t size, float eps);
    ggml_tensor * operator()(Graph & g, ggml_tensor * x) const;
};

/// Conv1d as one matrix product over windows of [C, T]. The weight is stored [Cin / groups * kernel, Cout] with the
/// input channel fastest, so that Q8_0's blocks fit and no permutation is needed. Padding is the caller's.
struct Conv1d {
    ggml_tensor * weight = nullptr;
    ggml_tensor * bias = nullptr;
    int64_t in = 0, out = 0;
    int kernel = 1, stride = 1, dilation = 1, groups = 1;

    Conv1d() = default;
    Conv1d(const Weights & weights, const std::string & name, int64_t in, int64_t out, int kernel, int stride = 1,
           int dilation = 1, int groups = 1);

    /// [Cin, T] -> [Cout, (T - dilation (kernel - 1) - 1) / stride + 1]
    ggml_tensor * operator()(Graph & g, ggml_tensor * x) const;

    /// Frames that a causal convolution remembers: its span less its stride.
    int left_context() const { return dilation * (kernel - 1) + 1 - stride; }

    /// Causal: `slot` [Cin, left_context()] stands before x and then holds its last frames. T a multiple of stride -> T
    /// / stride. The slot may be null where left_context() is 0.
    ggml_tensor * causal(Graph & g, ggml_tensor * x, ggml_tensor * slot) const;
};

/// x [C, T] with `left` and `right` frames of zeros around it.
ggml_tensor * pad_time(Graph & g, ggml_tensor * x, int left, int right);

/// Scaled dot-product attention. q [D, H, Tq], k [D, Hkv, Tk] (strided views are fine), v transposed [Tk, D, Hkv], mask
/// [Tk, Tq] F32 of 0 and -inf or null -> [D * H, Tq]. H is a multiple of Hkv.
ggml_tensor * attention(Graph & g, ggml_tensor * q, ggml_tensor * k, ggml_tensor * v_transposed, ggml_tensor * mask);

/// [D * H, T] -> its transpose [T, D, H], contiguous, as attention() wants v.
ggml_tensor * transpose_heads(Graph & g, ggml_tensor * v, int64_t heads);

/// GELU as in PyTorch (erf).
inline ggml_tensor * gelu(Graph & g, ggml_tensor * x) {
    return ggml_gelu_erf(g, x);
}

} // namespace moss
