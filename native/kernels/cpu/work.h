// How much work one of our operations is, kept in its tensor, for whoever decides on the threads of a graph.

#pragma once

#include "op_params.h"

namespace moss {

/// Notes the multiplications of an operation made by ggml_custom_4d.
inline void set_work(ggml_tensor * node, double multiplications) {
    WorkField::set(node, static_cast<float>(multiplications));
}

/// The multiplications noted; 0 where none are.
inline double work_of(const ggml_tensor * node) {
    return static_cast<double>(WorkField::get<float>(node));
}

} // namespace moss
