// What our operations need besides their operands: memory of each thread, and how to say that there is none. An
// operation runs on threads that know nothing of exceptions, so none may leave it.

#pragma once

#include "ggml.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace moss {

/// Memory of one thread, kept from one operation to the next and as large as the largest has wanted it.
struct alignas(64) Scratch {
    // conv1d: the padded, activated and rounded input, what is summed, and outputs to be cut
    std::vector<std::byte> input, lanes;
    std::vector<int32_t> input_sums, weight_sums;
    std::vector<float> input_scales, lane_scales, activated, sums, transformed, cut;
    // banded attention: a head's packed keys and values, scores [queries][keys], and the mixed values [queries][dim]
    std::vector<float> keys, values, scores, mixed;
};

/// Of the threads that compute one graph.
struct Workspace {
    explicit Workspace(int threads) : scratch(static_cast<size_t>(threads)) {}

    std::vector<Scratch> scratch;           ///< by thread
    std::atomic<bool> out_of_memory{false}; ///< some operation could not do its work
};

constexpr size_t workspace_offset = 24; // in op_params, behind ggml's own and before our parameters

/// Notes the workspace in an operation made by ggml_custom_4d, before its graph runs.
inline void set_workspace(ggml_tensor * node, Workspace * workspace) {
    std::memcpy(reinterpret_cast<char *>(node->op_params) + workspace_offset, &workspace, sizeof(workspace));
}

/// Runs `body(scratch)` with the scratch memory of thread `ith`. Where none was noted, it has some for this time.
template <class Body>
void with_scratch(const ggml_tensor * node, int ith, Body && body) noexcept {
    Workspace * workspace = nullptr;
    std::memcpy(&workspace, reinterpret_cast<const char *>(node->op_params) + workspace_offset, sizeof(workspace));
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
