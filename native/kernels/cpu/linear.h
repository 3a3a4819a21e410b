// Linear layers over [C, T] (ne0 = channel, ne1 = position), as operations of a ggml graph. Packing and kernels are
// those of convolutions (conv1d.h), which is why positions are called frames there: a linear layer has one tap.

#pragma once

#include "activations.h"
#include "compute_type.h"

#include "ggml.h"

#include <cstdint>
#include <memory>

namespace moss {

struct PackedWeights;

/// The weights of a linear layer y = W x + b, packed for the kernels. Immutable; copies share them. They must outlive
/// every graph that uses them. The result of a position does not depend on how many positions are computed at once.
class PackedLinear {
  public:
    /// `weight` returns rows of W, [in] floats for each of `out` output channels; `bias` [out] or null. `in` and `out`
    /// are 1 .. 2^20, or std::invalid_argument is thrown. type() is `type` where the CPU has a kernel for it
    /// (has_kernel), else fallback_type().
    PackedLinear(int64_t in, int64_t out, const WeightRows<float> & weight, const float * bias, ComputeType type);

    /// The same for W in ggml's Q8_0, with [in / 32] blocks a row; they are repacked without being rounded again.
    /// Throws std::invalid_argument for impossible sizes, and if this CPU has no kernel for Q8_0.
    static PackedLinear of_q8_0(int64_t in, int64_t out, const WeightRows<uint8_t> & blocks, const float * bias);

    /// The type in which the layer is computed.
    ComputeType type() const;
    int64_t in_channels() const;
    int64_t out_channels() const;

    /// Whether embeddings() can read the rows of W, because they are stored as they were given.
    bool has_rows() const;

  private:
    friend ggml_tensor * embeddings(ggml_context *, ggml_tensor *, const PackedLinear &);
    friend ggml_tensor * linear(ggml_context *, ggml_tensor *, const PackedLinear &, Activation);

    explicit PackedLinear(std::shared_ptr<const PackedWeights> weights);

    std::shared_ptr<const PackedWeights> weights_;
};

/// x [in, T] F32 (its positions any stride apart) -> activation(W x + b) [out, T]. Throws std::invalid_argument if x
/// has another shape or T is 0.
ggml_tensor * linear(ggml_context * context, ggml_tensor * x, const PackedLinear & layer, Activation activation = {});

/// Rows of W as embeddings, for a language model whose output layer shares its weights with the embeddings: ids I32
/// [T], 0 .. out - 1 -> [in, T]. Throws std::invalid_argument unless the layer has_rows().
ggml_tensor * embeddings(ggml_context * context, ggml_tensor * ids, const PackedLinear & layer);

} // namespace moss
