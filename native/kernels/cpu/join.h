// Concatenation of F32 matrices [C, T], and their mean, as operations of a ggml graph.

#pragma once

#include "ggml.h"

#include <cstdint>
#include <vector>

namespace moss {

/// The rows of a [C, Ta], then those of b [C, Tb], then `zeros` rows of zeros -> [C, Ta + Tb + zeros]. b may be null.
/// Throws std::invalid_argument if the shapes do not match.
ggml_tensor * join_rows(ggml_context * context, ggml_tensor * a, ggml_tensor * b, int64_t zeros = 0);

/// The rows of `before` [C, Tb], which may be null, then `count` uninitialised rows for another operation to write,
/// then `zeros` rows of zeros. Throws std::invalid_argument.
ggml_tensor * room_between(ggml_context * context, ggml_tensor * before, int64_t channels, int64_t count,
                           int64_t zeros);

/// Rows first .. first + T of `into` [C, N], contiguous, become a [C, T] + b [C, T]. Returns `into` with them. Throws
/// std::invalid_argument when they do not fit.
ggml_tensor * add_rows(ggml_context * context, ggml_tensor * a, ggml_tensor * b, ggml_tensor * into, int64_t first);

/// The elementwise mean of contiguous matrices. Throws std::invalid_argument.
ggml_tensor * mean(ggml_context * context, const std::vector<ggml_tensor *> & parts);

/// The channels of a [Ca, T], then those of b [Cb, T] -> [Ca + Cb, T]. Throws std::invalid_argument.
ggml_tensor * join_channels(ggml_context * context, ggml_tensor * a, ggml_tensor * b);

} // namespace moss
