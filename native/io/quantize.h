// Between 32-bit floats and the types in which a model file stores its weights.

#pragma once

#include "ggml.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace moss {

/// What the CPU backend multiplies with: F32, F16, BF16, Q4_0 … Q8_0, Q2_K … Q6_K.
bool is_weight_type(ggml_type type);

/// The weight type of that name in any case ("q8_0", "Q4_K"). @throws MossError MOSS_INVALID_ARGUMENT.
ggml_type to_weight_type(const std::string & name);

/// Rows of `row_length` floats in the file's form. No importance matrix: every weight counts the same.
/// @throws MossError MOSS_INVALID_ARGUMENT when `count` is no multiple of the row, the row none of the type's block (32
/// for Q4_0 … Q8_0, 256 for K-quants), or a value is not finite, or too large for F16.
std::vector<uint8_t> quantize(ggml_type type, const float * values, size_t count, size_t row_length);

/// The floats of whole blocks. @throws MossError MOSS_INVALID_ARGUMENT when `bytes` is no multiple of the block's size.
std::vector<float> dequantize(ggml_type type, const uint8_t * data, size_t bytes);

/// The same for so many whole blocks of a type that ggml can read.
void dequantize(ggml_type type, const uint8_t * data, size_t blocks, float * to);

} // namespace moss
