// The output of one convolution: what is added to its sums, and where they are written.

#pragma once

#include "conv1d_weights.h"

#include <cstdint>

namespace moss {

/// Frames are those of the packed convolution: of a transposed one, each is `phases` frames of the result, one after
/// the other in memory.
struct Conv1dOutput {
    float * y;               ///< [frames][channels]
    int64_t channels;        ///< of the packed convolution
    const float * condition; ///< added before the activation, [condition_channels], to each phase the same; or null
    int64_t condition_channels;
    Activation activation;
    const float * residual; ///< added after the activation; its frames are residual_step floats apart; or null
    int64_t residual_step;

    float * frame(int64_t t) const { return y + t * channels; }
    const float * residual_frame(int64_t t) const {
        return residual == nullptr ? nullptr : residual + t * residual_step;
    }

    /// Whether a kernel can write these outputs itself: its activation is one of the kernel's, and all 16 channels of
    /// each block are there.
    bool fused(const OutputBlockPair & pair) const;

    /// What the sums of a pair begin with: bias and condition.
    void load_biases(const OutputBlockPair & pair, float (&biases)[2 * output_block_channels]) const;

    /// Finishes `count` frames from `first` on, where a kernel cannot: `sums` are `step` floats apart, with any
    /// piecewise linear activation applied. Overwrites them.
    void finish(const OutputBlockPair & pair, int64_t first, int64_t count, float * sums, int64_t step) const;
};

/// An activation of values, which may be in place.
void apply(const Activation & activation, const float * from, float * to, int64_t count);

} // namespace moss
