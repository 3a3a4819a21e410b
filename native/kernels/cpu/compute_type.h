// The number formats in which our kernels multiply weights and inputs, and how weights are given to them.

#pragma once

#include <cstdint>
#include <functional>

namespace moss {

/// The number format in which weights and inputs are multiplied. Sums are in F32; in Q8_0 and I16, sums within a block
/// of 32 channels are in int32.
enum class ComputeType : int32_t {
    f32,
    bf16, ///< weights and inputs are rounded to BF16
    q8_0, ///< ggml's: 8 bits, and a scale for each 32 weights of an output channel and for each 32 channels of an input
          ///< frame; no scale spans frames, so the result of a frame does not depend on its neighbours
    i16,  ///< the same with 14 bits: finer than BF16 and faster than F32 where there is no AVX-512. No model file holds
          ///< weights in it; they are rounded to it when they are packed
};

/// Whether this CPU has a kernel for `type` that fits so many input channels (of one group of a convolution).
bool has_kernel(ComputeType type, int64_t channels);

/// The compute type for weights whose own type has no kernel: I16, or F32 where that is as fast.
ComputeType fallback_type(int64_t channels);

/// A source of weights that are packed a few rows at a time, so that they need not be in memory as a whole. Returns
/// rows first .. first + count, one row an output channel; they are valid until the next call. Each row is requested
/// once, in order.
template <class T>
using WeightRows = std::function<const T *(int64_t first, int64_t count)>;

} // namespace moss
