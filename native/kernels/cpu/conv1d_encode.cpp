// Encoding of weights in the number format of a compute type.

#include "conv1d_kernel.h"
#include "conv1d_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace moss {

namespace {

/// ggml's Q8_0 block, which its public headers do not define.
struct BlockQ8 {
    uint16_t scale; // F16
    int8_t values[quant_block];
};
static_assert(sizeof(BlockQ8) == 34, "ggml's Q8_0");

/// BF16 is the upper half of an F32, rounded to the nearest value, ties to even.
uint16_t to_bf16(float value) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

float from_bf16(uint16_t value) {
    const uint32_t bits = static_cast<uint32_t>(value) << 16;
    float result = 0;
    std::memcpy(&result, &bits, sizeof(result));
    return result;
}

/// The largest magnitude of a block of values that are `step` floats apart.
float largest_magnitude(const float * from, int64_t step) {
    float largest = 0.0F;
    for (int64_t i = 0; i < quant_block; i++) {
        largest = std::max(largest, std::fabs(from[i * step]));
    }
    return largest;
}

/// A block of values in Q8_0, rounded as ggml does.
BlockQ8 to_q8_0(const float * from) {
    const float scale = largest_magnitude(from, 1) / 127.0F;
    BlockQ8 block{};
    block.scale = ggml_fp32_to_fp16(scale);
    for (int64_t i = 0; i < quant_block && scale > 0.0F; i++) {
        block.values[i] = static_cast<int8_t>(std::clamp(std::nearbyint(from[i] / scale), -127.0F, 127.0F));
    }
    return block;
}

/// Encodes a block of values that are `step` floats apart in I16; returns the scale.
float to_i16(const float * from, int64_t step, int16_t (&to)[quant_block]) {
    constexpr auto most = static_cast<float>(i16_limit);
    const float largest = largest_magnitude(from, step);
    for (int64_t i = 0; i < quant_block; i++) {
        to[i] = static_cast<int16_t>(largest > 0.0F ? std::nearbyint(from[i * step] * (most / largest)) : 0.0F);
    }
    return largest / most;
}

} // namespace

SourceRows SourceRows::of_q8_0(const uint8_t * blocks, int64_t row) {
    return {blocks, nullptr, row};
}

bool SourceRows::zero(int64_t out, int64_t first, int64_t count) const {
    const float * from = values_ + out * row_ + first;
    return std::all_of(from, from + count, [](float w) { return w == 0.0F; });
}

void SourceRows::encode(int64_t out, int64_t first, int64_t count, const Encoding & encoding, std::byte * to,
                        std::byte * scales) const {
    const int64_t at = out * row_ + first;
    const int64_t scale_bytes = weight_scale_bytes(encoding.type);
    if (encoding.type == ComputeType::q8_0) {
        for (int64_t b = 0; b < count / quant_block; b++, to += quant_block) {
            const BlockQ8 block = values_ != nullptr ? to_q8_0(values_ + at + b * quant_block)
                                                     : static_cast<const BlockQ8 *>(blocks_)[at / quant_block + b];
            std::memcpy(scales + b * output_block_channels * scale_bytes, &block.scale, sizeof(block.scale));
            std::transform(block.values, block.values + quant_block, to, [&](int8_t value) {
                return static_cast<std::byte>(static_cast<uint8_t>(value + encoding.weight_zero));
            });
        }
    } else if (encoding.type == ComputeType::i16) {
        for (int64_t b = 0; b < count / quant_block; b++, to += quant_block * 2) {
            int16_t values[quant_block];
            const float scale = to_i16(values_ + at + b * quant_block, 1, values);
            std::memcpy(scales + b * output_block_channels * scale_bytes, &scale, sizeof(scale));
            std::memcpy(to, values, sizeof(values));
        }
    } else {
        for (int64_t i = 0; i < count; i++) {
            const uint16_t half = to_bf16(values_[at + i]);
            const float value = encoding.rounded == ComputeType::bf16 ? from_bf16(half) : values_[at + i];
            if (encoding.type == ComputeType::bf16) {
                std::memcpy(to + i * 2, &half, sizeof(half));
            } else {
                std::memcpy(to + i * 4, &value, sizeof(value));
            }
        }
    }
}

void encode_i16_block(const float * from, int64_t quant_blocks, std::byte * to, std::byte * scales) {
    constexpr int64_t lanes = quant_block / 2;
    for (int64_t b = 0; b < quant_blocks; b++, to += lanes * output_block_channels * lane_bytes) {
        for (int64_t i = 0; i < output_block_channels; i++, scales += sizeof(float)) {
            int16_t values[quant_block];
            const float scale =
                to_i16(from + b * quant_block * output_block_channels + i, output_block_channels, values);
            std::memcpy(scales, &scale, sizeof(scale));
            for (int64_t lane = 0; lane < lanes; lane++) {
                std::memcpy(to + (lane * output_block_channels + i) * lane_bytes, values + 2 * lane, lane_bytes);
            }
        }
    }
}

} // namespace moss
