// Conversion between 32-bit floats and the types in which a model file stores its weights.

#pragma once

#include "ggml.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace moss {

/// Whether we write weights in this type: F32, F16, BF16, Q4_0 … Q8_0, Q2_K … Q6_K.
bool is_weight_type(ggml_type type);

/// The weight type of that name in any case ("q8_0", "Q4_K"). @throws MossError MOSS_INVALID_ARGUMENT.
ggml_type to_weight_type(const std::string & name);

/// Converts rows of `row_length` floats to `type`. There is no importance matrix: all weights count the same.
/// @throws MossError MOSS_INVALID_ARGUMENT if `count` is not a multiple of the row, if the row is not a multiple of the
/// type's block (32 for Q4_0 … Q8_0, 256 for K-quants), or if a value is not finite or too large for F16.
std::vector<uint8_t> quantize(ggml_type type, const float * values, size_t count, size_t row_length);

/// Converts whole blocks to floats. @throws MossError MOSS_INVALID_ARGUMENT if `bytes` is not a multiple of the block's
/// size.
std::vector<float> dequantize(ggml_type type, const uint8_t * data, size_t bytes);

/// The same for `blocks` whole blocks of any type that ggml can read.
void dequantize(ggml_type type, const uint8_t * data, size_t blocks, float * to);

} // namespace moss
