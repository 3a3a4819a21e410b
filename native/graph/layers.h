// Layers built from ggml operations and our kernels. In all of them ne0 is the channel and ne1 the time: [C, T].

#pragma once

#include "graph.h"
#include "weights.h"

#include "../kernels/cpu/activations.h"
#include "../kernels/cpu/conv1d.h"
#include "../kernels/cpu/linear.h"

#include <memory>
#include <optional>
#include <string>

namespace moss {

/// A linear layer y = f(W x + b). W [in, out] of any matrix type; the bias may be absent.
struct Linear {
    std::optional<PackedLinear> packed; ///< for our kernels; when empty, ggml computes with:
    ggml_tensor * weight = nullptr;     ///< [in, out]
    ggml_tensor * bias = nullptr;       ///< [out], or null

    Linear() = default;
    Linear(const Weights & weights, const std::string & name, int64_t in, int64_t out, bool with_bias = true);
    ggml_tensor * operator()(Graph & g, ggml_tensor * x,
                             Activation::Kind activation = Activation::none) const; // [in, T] -> [out, T]
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

/// Conv1d on our kernels (kernels/cpu/conv1d.h). Weights [Cin / groups * kernel, Cout] of any type, the input
/// channel fastest.
class Conv1d {
  public:
    Conv1d() = default;
    Conv1d(const Weights & weights, const std::string & name, const Conv1dShape & shape);

    const Conv1dShape & shape() const { return shape_; }

    /// Frames that a causal convolution remembers: its span less its stride.
    int left_context() const { return static_cast<int>(packed_->span() - shape_.stride); }

    /// x [Cin, T] -> [Cout, T'], with options.left frames of zeros before x and options.right after it. The activations
    /// are those of `options`.
    ggml_tensor * operator()(Graph & g, ggml_tensor * x, const Conv1dOptions & options = {}) const;

    /// The causal form, for a stream: `slot` [Cin, left_context()] holds the frames before x, and afterwards the last
    /// frames of x. T must be a multiple of the stride; the result has T / stride frames. The slot is null when
    /// left_context() is 0.
    ggml_tensor * causal(Graph & g, ggml_tensor * x, ggml_tensor * slot, const Conv1dOptions & options = {}) const;

  private:
    Conv1dShape shape_;
    std::shared_ptr<const PackedConv1d> packed_;
};

/// Scaled dot-product attention. q [D, H, Tq], k [D, Hkv, Tk] (strided views are fine), v transposed [Tk, D, Hkv], mask
/// [Tk, Tq] F32 of 0 and -inf or null -> [D * H, Tq]. H is a multiple of Hkv.
ggml_tensor * attention(Graph & g, ggml_tensor * q, ggml_tensor * k, ggml_tensor * v_transposed, ggml_tensor * mask);

/// Adds the output projection of an attention's heads y [D * H, T] to the residual stream x [E, T]. If the runner
/// measures heads, it also keeps, under `name`, how much each of `groups` groups of neighbouring heads contributes at
/// each position: the norm of the change to the sum without that group, relative to the norm of the sum.
ggml_tensor * add_heads(Graph & g, const Linear & output, ggml_tensor * y, ggml_tensor * x, int64_t groups,
                        const std::string & name);

/// Applies the activation of a transformer layer: none, relu or gelu.
inline ggml_tensor * activate(Graph & g, Activation::Kind kind, ggml_tensor * x) {
    return kind == Activation::none ? x : kind == Activation::relu ? ggml_relu(g, x) : gelu(g, x);
}

} // namespace moss
