// The output of one convolution: what is added to the sums, and where they are written.

#pragma once

#include "conv1d_weights.h"

#include <cstdint>

namespace moss {

/// Frames are those of the packed convolution. Each frame of a packed transposed convolution is `phases` consecutive
/// frames of the result, contiguous in memory.
struct Conv1dOutput {
    float * y;               ///< [frames][channels]
    int64_t channels;        ///< of the packed convolution
    const float * condition; ///< [condition_channels], added to each phase before the activation; or null
    int64_t condition_channels;
    Activation activation;
    const float * residual; ///< added after the activation; its frames are residual_step floats apart; or null
    int64_t residual_step;

    float * frame(int64_t t) const { return y + t * channels; }
    const float * residual_frame(int64_t t) const {
        return residual == nullptr ? nullptr : residual + t * residual_step;
    }

    /// Whether the kernel can write these outputs itself: the activation is piecewise linear, and each block has all of
    /// its 16 channels.
    bool fused(const OutputBlockPair & pair) const;

    /// Sets the initial values of a pair's sums: bias plus condition.
    void load_biases(const OutputBlockPair & pair, float (&biases)[2 * output_block_channels]) const;

    /// Applies the activation, adds the residual and writes `count` frames from `first` on, where the kernel cannot do
    /// so. The `sums` of the frames are `step` floats apart, a piecewise linear activation has already been applied to
    /// them, and they are overwritten.
    void finish(const OutputBlockPair & pair, int64_t first, int64_t count, float * sums, int64_t step) const;
};

/// Applies an activation to `count` values; `to` may be `from`.
void apply(const Activation & activation, const float * from, float * to, int64_t count);

} // namespace moss
