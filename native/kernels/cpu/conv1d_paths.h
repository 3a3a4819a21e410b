// Running a convolution or a linear layer, and the three ways in which one multiplies. Each of these computes one share
// of a plan: it loads the input that the share sees, multiplies, and writes the outputs.

#pragma once

#include "conv1d_input.h"
#include "conv1d_output.h"
#include "conv1d_plan.h"
#include "workspace.h"

namespace moss {

/// What thread `thread` of `threads` computes of one convolution, of so many output frames of the packed convolution
/// (conv1d.cpp).
void run_conv1d(const PackedWeights & weights, const Conv1dInput & input, const Conv1dOutput & output, int64_t frames,
                int thread, int threads, Scratch & scratch);

/// What all shares of one convolution have in common.
struct Conv1dCall {
    const PackedWeights & weights;
    const Conv1dPlan & plan;
    const Conv1dInput & input;
    const Conv1dOutput & output;
};

/// Output blocks by matrix products of all taps (conv1d_direct.cpp).
void run_direct(const Conv1dCall & call, const Conv1dShare & share, Scratch & scratch);

/// Output blocks by Winograd's algorithm (conv1d_winograd.cpp).
void run_winograd(const Conv1dCall & call, const Conv1dShare & share, Scratch & scratch);

/// Outputs a channel at a time (conv1d_per_channel.cpp).
void run_per_channel(const Conv1dCall & call, const Conv1dShare & share, Scratch & scratch);

/// Calls body(pair, index) for each of a share's output block pairs as the kernel takes them: one block after the other
/// where it computes one at a time, so that its weights stay in the first cache. `index` counts the share's blocks as
/// if each pair had two.
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
