// How much work one of our operations is, kept in its tensor, for whoever decides on the threads of a graph.

#pragma once

#include "ggml.h"

#include <cstddef>
#include <cstring>

namespace moss {

constexpr size_t work_offset = GGML_MAX_OP_PARAMS - sizeof(float); // in op_params, behind ggml's own

/// Notes the multiplications of an operation made by ggml_custom_4d.
inline void set_work(ggml_tensor * node, double multiplications) {
    const auto work = static_cast<float>(multiplications);
    std::memcpy(reinterpret_cast<char *>(node->op_params) + work_offset, &work, sizeof(work));
}

/// The multiplications noted; 0 where none are.
inline double work_of(const ggml_tensor * node) {
    float work = 0;
    std::memcpy(&work, reinterpret_cast<const char *>(node->op_params) + work_offset, sizeof(work));
    return static_cast<double>(work);
}

} // namespace moss
