// The inner kernels of convolutions and linear layers, one per instruction set and compute type.

#pragma once

#include "compute_type.h"
#include "conv1d_winograd.h"

#include <cstdint>

namespace moss {

/// What a kernel computes in one call, a matrix product of a few rows: y = leaky(x * w + bias) + residual. A row is an
/// output frame of a convolution, a position of a linear layer or a query of an attention; its columns are one or two
/// output blocks, of 16 channels each. A lane is 32 bits: one F32, two BF16 or I16 or four Q8_0 values of neighbouring
/// channels. A quant block is the 32 channels, of one tap, that share a scale in Q8_0 and I16.
struct Conv1dTile {
    const void * x;        // the first row's first tap
    int64_t row_step;      // bytes from what one row reads to what the next one reads
    int64_t tap_step;      // bytes from tap to tap
    int64_t taps;          //
    int64_t lanes;         // of one tap; they follow each other in memory
    const void * weights;  // [taps][lanes][16] lanes
    const void * weights2; // of the second output block, or null
    const float * biases;  // [16 or 32]: where the sums begin
    int64_t biases_step;   // floats from a row's biases to the next row's; 0: all rows have the same
    // Of Q8_0 and I16:
    int64_t quant_blocks;        // of one tap
    const void * scales;         // of the weights, F16 for Q8_0 and F32 for I16, [taps][quant_blocks][16]
    const void * scales2;        // of the second output block
    const float * input_scales;  // [quant_blocks] of the first row's first tap
    const int32_t * input_sums;  // laid out as input_scales: what Conv1dKernel::load wrote as sums
    const int32_t * weight_sums; // [taps][quant_blocks][16] of Conv1dKernel::sum_weights, where the kernel has it
    int64_t row_scales;          // input scales, or sums, from a row to the next one
    int64_t tap_scales;          // the same from tap to tap
    const float * residual;      // or null; its rows are residual_step floats apart
    int64_t residual_step;       //
    float slope;                 // the activation's factor below zero; 1: there is none
    float * y;                   // its rows are y_step floats apart
    int64_t y_step;
};

/// Channels of a quant block.
constexpr int64_t quant_block = 32;

/// The largest magnitude of a value in I16: the sum of a quant block's products just fits an int32.
constexpr int32_t i16_limit = 8191;

constexpr int64_t lane_bytes = 4;

/// Values of a lane.
constexpr int64_t lane_values(ComputeType type) {
    return type == ComputeType::f32 ? 1 : type == ComputeType::q8_0 ? 4 : 2;
}

/// Bytes of a quant block's scale among the weights; 0 where there are none.
constexpr int64_t weight_scale_bytes(ComputeType type) {
    return type == ComputeType::q8_0 ? 2 : type == ComputeType::i16 ? 4 : 0;
}

/// The inner kernel of one compute type for one instruction set.
struct Conv1dKernel {
    const char * name;
    ComputeType type;
    int64_t max_rows; ///< of one call; 12 is a multiple of it
    bool both;        ///< whether it computes two output blocks at once; else weights2 is null
    void (*run)(const Conv1dTile & tile, int64_t rows);
    /// All types but F32: writes leaky(x) of the channels of one or more frames as lanes. Q8_0 and I16: also the scale
    /// of each quant block; Q8_0: also what its sum of products begins with (or what it takes to find that).
    void (*load)(const float * x, int64_t channels, float slope, void * to, float * scales, int32_t * sums) = nullptr;
    /// F32 and I16: the transforms of each Winograd scheme.
    const WinogradTransforms * winograd = nullptr;
    // Q8_0:
    int32_t weight_zero = 0;          ///< what is added to every weight, so that none is negative
    bool outdone_by_winograd = false; ///< Winograd's algorithm in I16 or F32 is faster than this kernel (also BF16)
    /// Writes the sums of so many quant blocks of an output block's weights [16], which a tile takes as weight_sums; or
    /// null. Then the kernel computes one output block at a time.
    void (*sum_weights)(const void * weights, int64_t quant_blocks, int32_t * to) = nullptr;
    /// A kernel for fewer than few_rows rows, for which summing the weights does not pay: its results are the same. Or
    /// null.
    const Conv1dKernel * few = nullptr;
};

constexpr int64_t few_rows = 8;

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

/// The best kernel of that type on this CPU; F32's where there is none.
const Conv1dKernel & conv1d_kernel(ComputeType type);

/// Makes conv1d_kernel() give this kernel for its type, for tests and benchmarks; null: the best ones again. Not to be
/// called while a graph runs. Of weights that are packed already only those in F32 follow.
void set_conv1d_kernel(const Conv1dKernel * kernel);

/// Whether weights that are packed from now on may be computed by Winograd's algorithm where that is faster. For tests
/// and benchmarks.
void allow_conv1d_winograd(bool allowed);
bool conv1d_winograd_allowed();

/// All kernels that this CPU can run, the best of each type first; returns their count.
constexpr int max_conv1d_kernels = 10;
int conv1d_kernels(const Conv1dKernel * (&kernels)[max_conv1d_kernels]);

} // namespace moss
