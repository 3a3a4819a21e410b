// What our operations need besides their operands: memory of each thread, and how to say that there is none. An
// operation runs on threads that know nothing of exceptions, so none may leave it.

#pragma once

#include "op_params.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace moss {

/// Memory of one thread, kept from one operation to the next and as large as the largest has wanted it.
struct alignas(64) Scratch {
    // Convolutions: the loaded input, and the scales and sums of its quant blocks (conv1d_input.h)
    std::vector<std::byte> input;
    std::vector<float> input_scales;
    std::vector<int32_t> input_sums;
    std::vector<float> activated; // input with its activation, before it is rounded
    // Winograd: the transformed input in F32, the same in the kernel's type, and its scales
    std::vector<float> transformed;
    std::vector<std::byte> lanes;
    std::vector<float> lane_scales;
    // Convolutions: sums of an output block's weights, outputs of which some input channels are summed, and outputs
    // that a kernel cannot write in their place
    std::vector<int32_t> weight_sums;
    std::vector<float> sums, unfused;
    // Banded attention: a head's packed keys and values, scores [queries][keys], and the mixed values [queries][dim]
    std::vector<float> keys, values, scores, mixed;
};

/// Of the threads that compute one graph.
struct Workspace {
    explicit Workspace(int threads) : scratch(static_cast<size_t>(threads)) {}

    std::vector<Scratch> scratch;           ///< by thread
    std::atomic<bool> out_of_memory{false}; ///< some operation could not do its work
};

/// Notes the workspace in an operation made by ggml_custom_4d, before its graph runs.
inline void set_workspace(ggml_tensor * node, Workspace * workspace) {
    WorkspaceField::set(node, workspace);
}

/// Runs `body(scratch)` with the scratch memory of thread `ith`. Where none was noted, it has some for this time.
template <class Body>
void with_scratch(const ggml_tensor * node, int ith, Body && body) noexcept {
    auto * workspace = WorkspaceField::get<Workspace *>(node);
    if (workspace == nullptr) {
        Scratch scratch;
        body(scratch);
        return;
    }
    try {
        body(workspace->scratch[static_cast<size_t>(ith)]);
    } catch (...) { // std::bad_alloc: operations throw nothing else
        workspace->out_of_memory = true;
    }
}

} // namespace moss
