// Running a convolution or a linear layer, and the three ways of computing it. Each of these computes one share of a
// plan: it loads the input that the share sees, multiplies, and writes the outputs.

#pragma once

#include "conv1d_input.h"
#include "conv1d_output.h"
#include "conv1d_plan.h"
#include "workspace.h"

namespace moss {

/// Computes the shares of thread `thread` of `threads`, for a convolution with `frames` output frames of the packed
/// convolution (conv1d.cpp).
void run_conv1d(const PackedWeights & weights, const Conv1dInput & input, const Conv1dOutput & output, int64_t frames,
                int thread, int threads, Scratch & scratch);

/// What is the same for all shares of one convolution.
struct Conv1dCall {
    const PackedWeights & weights;
    const Conv1dPlan & plan;
    const Conv1dInput & input;
    const Conv1dOutput & output;
};

/// Computes output blocks as matrix products over all taps (conv1d_direct.cpp).
void run_direct(const Conv1dCall & call, const Conv1dShare & share, Scratch & scratch);

/// Computes output blocks by Winograd's algorithm (conv1d_winograd.cpp).
void run_winograd(const Conv1dCall & call, const Conv1dShare & share, Scratch & scratch);

/// Computes one output channel at a time (conv1d_per_channel.cpp).
void run_per_channel(const Conv1dCall & call, const Conv1dShare & share, Scratch & scratch);

/// Calls body(pair, index) for each output block pair of a share. A kernel that computes one block at a time gets a
/// pair with a single block in each call, so that the block's weights stay in the L1 cache. `index` counts the blocks
/// of the share as if each pair had two.
template <class Body>
void for_each_pair(const Conv1dCall & call, const Conv1dShare & share, Body && body) {
    for (int64_t i = share.first_pair; i < share.last_pair; i++) {
        const OutputBlockPair & pair = call.weights.pairs[static_cast<size_t>(i)];
        const int64_t index = 2 * (i - share.first_pair);
        if (pair.second == nullptr || call.plan.kernel->both) {
            body(pair, index);
        } else {
            body(OutputBlockPair{pair.first, nullptr}, index);
            body(OutputBlockPair{pair.second, nullptr}, index + 1);
        }
    }
}

} // namespace moss
