// The input of one convolution as its kernels read it: padded, activated, and in the kernel's type or transformed for
// Winograd. It is copied into a thread's scratch memory unless x can be read in place.

#pragma once

#include "conv1d_plan.h"
#include "workspace.h"

#include <cstddef>
#include <cstdint>

namespace moss {

/// x [C, T] with `left` frames of zeros before it, and as many zeros after it as are read.
struct Conv1dInput {
    const float * x;
    int64_t frames;
    int64_t step; ///< floats from one frame to the next
    int64_t left;
    Activation activation;
};

/// Input channels first .. first + count.
struct ChannelRange {
    int64_t first, count;
};

/// Frames that a kernel can read, in scratch memory or in x itself.
struct LoadedFrames {
    const std::byte * data; ///< the first frame
    int64_t step;           ///< bytes from one frame to the next
    const float * scales;   ///< Q8_0 and I16: [frame][quant block]
    const int32_t * sums;   ///< Q8_0: [frame][quant block], as Conv1dKernel::load writes them
};

/// Winograd tiles whose input is transformed, [point][tile][channel].
struct LoadedTiles {
    const std::byte * data; ///< the first point of the first tile
    int64_t step;           ///< bytes from one tile to the next
    int64_t count;          ///< of tiles; the tiles of each point follow those of the point before
    const float * scales;   ///< I16: [point][tile][quant block]
};

/// Loads the input frames that output frames first .. last see, for some channels.
LoadedFrames load_frames(const Conv1dInput & input, const PackedWeights & weights, const Conv1dPlan & plan,
                         int64_t first, int64_t last, ChannelRange channels, Scratch & scratch);

/// Loads and transforms the Winograd tiles of output frames first .. last, and the tiles after them that the later
/// segments of taps read.
LoadedTiles load_tiles(const Conv1dInput & input, const PackedWeights & weights, const Conv1dPlan & plan, int64_t first,
                       int64_t last, Scratch & scratch);

} // namespace moss
