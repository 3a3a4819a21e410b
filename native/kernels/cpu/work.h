// The number of multiplications of one of our operations, stored in its tensor. Runner uses it to decide how many
// threads compute a graph.

#pragma once

#include "op_params.h"

namespace moss {

/// Stores the number of multiplications of an operation made by ggml_custom_4d.
inline void set_work(ggml_tensor * node, double multiplications) {
    WorkField::set(node, static_cast<float>(multiplications));
}

/// The number that was stored, or 0.
inline double work_of(const ggml_tensor * node) {
    return static_cast<double>(WorkField::get<float>(node));
}

} // namespace moss
