// The plan of one convolution: how its output is cut into tiles (runs of consecutive frames), and how these are divided
// among threads. It depends only on shapes.

#pragma once

#include "conv1d_kernel.h"
#include "conv1d_weights.h"

#include <algorithm>
#include <cstdint>

namespace moss {

/// What one thread computes at a time: output frames first .. last of the packed convolution, of the output block pairs
/// first_pair .. last_pair.
struct Conv1dShare {
    int64_t first, last;
    int64_t first_pair, last_pair;

    int64_t frames() const { return last - first; }
};

struct Conv1dPlan {
    const Conv1dKernel * kernel; ///< the kernel that is used
    ComputeType input_type;      ///< of the input as it is loaded: the kernel's, or F32 for Winograd's transform
    int64_t frames;              ///< output frames of the packed convolution
    int64_t tile_frames;         ///< output frames of a tile, whose input is loaded at once
    int64_t pairs;               ///< output block pairs of a tile; 1 if outputs are computed one channel at a time
    int64_t max_pairs;           ///< the most output block pairs in a share
    int64_t part_channels;       ///< input channels that are loaded and multiplied at a time

    /// The bytes of an input value as it is loaded.
    int64_t value_bytes() const { return lane_bytes / lane_values(input_type); }

    /// Calls body(share) for all shares of one of several threads. The tiles x pairs are divided into runs of equal
    /// length, one for each thread.
    template <class Body>
    void for_each_share(int thread, int threads, Body && body) const {
        const int64_t items = (frames + tile_frames - 1) / tile_frames * pairs;
        const int64_t end = items * (thread + 1) / threads;
        for (int64_t item = items * thread / threads; item < end;) {
            const int64_t tile = item / pairs;
            const int64_t stop = std::min({end, (tile + 1) * pairs, item + max_pairs});
            const int64_t pair = item % pairs;
            body(Conv1dShare{tile * tile_frames, std::min(frames, (tile + 1) * tile_frames), pair, pair + stop - item});
            item = stop;
        }
    }
};

/// The plan for `frames` output frames of the packed convolution.
Conv1dPlan plan_conv1d(const PackedWeights & weights, int64_t frames);

/// The bytes of the sums of one output frame and one output block pair.
constexpr int64_t pair_sums_bytes = 2 * output_block_channels * 4;

} // namespace moss
