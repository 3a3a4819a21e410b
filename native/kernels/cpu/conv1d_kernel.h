// The inner kernels of conv1d, one per instruction set and type of weights.

#pragma once

#include "conv1d.h"
#include "conv1d_winograd.h"

#include <cstdint>

namespace moss {

/// Rows (output times) x panels of 16 output channels: y = leaky(x * w + bias) + residual. A lane is 32 bits: one F32,
/// two BF16 or I16 or four Q8_0 values of neighbouring channels.
struct Conv1dTile {
    const void * x;        // the first row's first tap
    int64_t row_step;      // bytes from a row's window to the next one's
    int64_t tap_step;      // bytes from tap to tap
    int64_t taps;          //
    int64_t lanes;         // contiguous, of one tap
    const void * weights;  // [taps][lanes][16] lanes
    const void * weights2; // of the second panel, or null
    const float * biases;  // [16 or 32]: what is summed begins with them
    int64_t biases_step;   // 0: the same for all rows; or they are so many floats apart
    // Q8_0 and I16, in blocks of 32 channels:
    int64_t blocks;              // of one tap
    const void * scales;         // of the weights, Q8_0: F16, I16: F32 [taps][blocks][16]
    const void * scales2;        // of the second panel
    const float * input_scales;  // [blocks] of the first row's first tap
    const int32_t * input_sums;  // the same: what a sum of products begins with, or is to be multiplied for it with
    const int32_t * weight_sums; // of the kernel's sum_weights [taps][blocks][16], where it has it
    int64_t row_scales;          // scales, or sums, from a row to the next one
    int64_t tap_scales;          // from tap to tap
    const float * residual;      // or null; rows are residual_step floats apart
    int64_t residual_step;       //
    float slope;                 // 1: no activation; 0: relu
    float * y;                   // rows are y_step floats apart
    int64_t y_step;
};

/// Values of a lane.
constexpr int64_t conv1d_lane(ConvType type) {
    return type == ConvType::f32 ? 1 : type == ConvType::q8_0 ? 4 : 2;
}

/// Channels of a block of Q8_0 and I16.
constexpr int64_t conv1d_block = 32;

/// The largest magnitude in I16: a block's products just fit an int32.
constexpr int32_t conv1d_i16_most = 8191;

/// Bytes of a weight's scale.
constexpr int64_t conv1d_scale_bytes(ConvType type) {
    return type == ConvType::q8_0 ? 2 : type == ConvType::i16 ? 4 : 0;
}

/// A kernel computes `rows` <= max_rows rows; 12 is a multiple of max_rows.
struct Conv1dKernel {
    const char * name;
    ConvType type;
    int64_t max_rows;
    bool both; ///< two panels at once; else a tile has one
    void (*run)(const Conv1dTile & tile, int64_t rows);
    /// Not F32: leaky(x) of the channels of one or more frames as the kernel's lanes; of Q8_0 and I16 a scale, of Q8_0
    /// a sum for each block.
    void (*load)(const float * x, int64_t channels, float slope, void * to, float * scales, int32_t * sums) = nullptr;
    /// F32 and I16: the transforms of each scheme.
    const WinogradTransforms * winograd = nullptr;
    // Q8_0:
    int32_t weight_zero = 0; ///< what is added to every weight, so that it is not negative
    bool outdone = false;    ///< Winograd's convolution in I16 or F32 is faster still
    /// What a tile wants of so many blocks of a panel's weights [16], of one panel at a time; or null.
    void (*sum_weights)(const void * weights, int64_t blocks, int32_t * to) = nullptr;
    /// Gives the same for less than conv1d_few_rows, of which weights are not worth to be summed; or null.
    const Conv1dKernel * few = nullptr;
};

constexpr int64_t conv1d_few_rows = 8;

extern const Conv1dKernel conv1d_portable;
#if defined(__x86_64__) || defined(_M_X64)
extern const Conv1dKernel conv1d_avx2;
extern const Conv1dKernel conv1d_avx2_i16;
extern const Conv1dKernel conv1d_avx2_q8_0;
extern const Conv1dKernel conv1d_avxvnni;
extern const Conv1dKernel conv1d_avxvnni_i16;
extern const Conv1dKernel conv1d_avx512;
extern const Conv1dKernel conv1d_avx512bf16;
extern const Conv1dKernel conv1d_avx512vnni;
extern const Conv1dKernel conv1d_avx512vnni_i16;
#elif defined(__aarch64__) || defined(_M_ARM64)
extern const Conv1dKernel conv1d_neon;
extern const Conv1dKernel conv1d_dotprod;
#endif

/// The best one for weights of that type on this CPU; F32's where there is none.
const Conv1dKernel & conv1d_kernel(ConvType type);

/// Makes conv1d_kernel() give this one for its type, for tests and benchmarks; null: the best ones again. Not while a
/// graph runs. Of weights that are packed already only those in F32 follow.
void set_conv1d_kernel(const Conv1dKernel * kernel);

/// May what is packed from now on be computed after Winograd, where that is faster? For tests and benchmarks.
void allow_conv1d_winograd(bool allowed);
bool conv1d_winograd_allowed();

/// All that this CPU can run, the best of each type first; their count.
constexpr int max_conv1d_kernels = 10;
int conv1d_kernels(const Conv1dKernel * (&kernels)[max_conv1d_kernels]);

} // namespace moss
