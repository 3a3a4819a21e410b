// What our operations store in ggml_tensor::op_params, and where. Bytes:
//
//     0 .. 24   ggml's own, of GGML_OP_CUSTOM: the function, the number of threads and a pointer for the function
//    24 .. 32   the workspace of the threads that compute the graph (workspace.h)
//    32 .. 60   the operation's own parameters
//    60 .. 64   how much work the operation is (work.h)

#pragma once

#include "ggml.h"

#include <cstddef>
#include <cstring>
#include <type_traits>

namespace moss {

/// A value that is stored in bytes first .. end of a tensor's op_params.
template <size_t first, size_t end>
struct OpParamsField {
    static_assert(end <= GGML_MAX_OP_PARAMS, "ggml has no room for it");

    template <class T>
    static void set(ggml_tensor * node, const T & value) {
        static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= end - first, "it does not fit");
        std::memcpy(reinterpret_cast<char *>(node->op_params) + first, &value, sizeof(T));
    }

    template <class T>
    static T get(const ggml_tensor * node) {
        static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= end - first, "it does not fit");
        T value{};
        std::memcpy(&value, reinterpret_cast<const char *>(node->op_params) + first, sizeof(T));
        return value;
    }
};

using WorkspaceField = OpParamsField<24, 32>;
using ParametersField = OpParamsField<32, 60>;
using WorkField = OpParamsField<60, 64>;

/// Stores the parameters of an operation made by ggml_custom_4d or ggml_custom_inplace.
template <class T>
void set_parameters(ggml_tensor * node, const T & parameters) {
    ParametersField::set(node, parameters);
}

/// The parameters that were stored.
template <class T>
T parameters_of(const ggml_tensor * node) {
    return ParametersField::get<T>(node);
}

} // namespace moss
