// What our operations need besides their operands: scratch memory for each thread, and a flag that reports that memory
// ran out. Operations run on ggml's threads, through C code, so that no exception may leave them.

#pragma once

#include "op_params.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace moss {

/// The scratch memory of one thread. It is kept from one operation to the next, and grows to what the largest one
/// needs.
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
    // Convolutions: sums of an output block's weights, outputs over some of the input channels, and outputs that a
    // kernel cannot write to their place
    std::vector<int32_t> weight_sums;
    std::vector<float> sums, unfused;
    // Banded attention: a head's packed keys and values, scores [queries][keys], and the mixed values [queries][dim]
    std::vector<float> keys, values, scores, mixed;
};

/// The scratch memory of the threads that compute one graph.
struct Workspace {
    explicit Workspace(int threads) : scratch(static_cast<size_t>(threads)) {}

    std::vector<Scratch> scratch;           ///< by thread
    std::atomic<bool> out_of_memory{false}; ///< set when an operation failed for lack of memory
};

/// Stores the workspace in an operation made by ggml_custom_4d, before its graph runs.
inline void set_workspace(ggml_tensor * node, Workspace * workspace) {
    WorkspaceField::set(node, workspace);
}

/// Runs `body(scratch)` with the scratch memory of thread `ith`. If no workspace was stored, the memory is allocated
/// for this call only.
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
