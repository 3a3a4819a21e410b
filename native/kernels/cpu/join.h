// Putting F32 matrices [C, T] side by side, as operations of a ggml graph: a copy of whole runs of memory.

#pragma once

#include "ggml.h"

#include <cstdint>

namespace moss {

/// Rows of a [C, Ta], then those of b [C, Tb], then `zeros` rows of zeros -> [C, Ta + Tb + zeros]. b may be null.
/// Throws std::invalid_argument when they do not fit.
ggml_tensor * join_rows(ggml_context * context, ggml_tensor * a, ggml_tensor * b, int64_t zeros = 0);

/// Channels of a [Ca, T], then those of b [Cb, T] -> [Ca + Cb, T]. Throws std::invalid_argument.
ggml_tensor * join_channels(ggml_context * context, ggml_tensor * a, ggml_tensor * b);

} // namespace moss
