// The inner kernels of convolutions and linear layers, one per instruction set and compute type.

#pragma once

#include "compute_type.h"
#include "conv1d_winograd.h"

#include <cstdint>

namespace moss {

/// The arguments of one kernel call, which computes a matrix product of a few rows: y = leaky(x * w + bias) + residual.
/// A row is an output frame of a convolution, a position of a linear layer or a query of an attention; its columns are
/// one or two output blocks of 16 channels each. A lane is 32 bits: one F32, two BF16 or I16, or four Q8_0 values of
/// neighbouring channels. A quant block is the 32 channels of one tap that share a scale in Q8_0 and I16.
struct Conv1dTile {
    const void * x;        // the first tap of the first row
    int64_t row_step;      // bytes from the input of one row to that of the next row
    int64_t tap_step;      // bytes from tap to tap
    int64_t taps;          //
    int64_t lanes;         // lanes of one tap, contiguous in memory
    const void * weights;  // [taps][lanes][16] lanes
    const void * weights2; // of the second output block, or null
    const float * biases;  // [16 or 32]: the initial values of the sums
    int64_t biases_step;   // floats from a row's biases to those of the next row; 0 if all rows share them
    // Only for Q8_0 and I16:
    int64_t quant_blocks;       // of one tap
    const void * scales;        // of the weights, F16 for Q8_0 and F32 for I16, [taps][quant_blocks][16]
    const void * scales2;       // of the second output block
    const float * input_scales; // [quant_blocks] of the first row's first tap
    const int32_t * input_sums; // laid out as input_scales: the sums that Conv1dKernel::load wrote
    const int32_t *
        weight_sums;        // [taps][quant_blocks][16], as Conv1dKernel::sum_weights wrote them, if the kernel has it
    int64_t row_scales;     // input scales, or sums, from one row to the next
    int64_t tap_scales;     // input scales, or sums, from one tap to the next
    const float * residual; // or null; its rows are residual_step floats apart
    int64_t residual_step;  //
    float slope;            // the activation's factor for values below zero; 1 without activation
    float * y;              // its rows are y_step floats apart
    int64_t y_step;
};

/// The number of channels in a quant block.
constexpr int64_t quant_block = 32;

/// The largest magnitude of a value in I16: the sum of a quant block's products just fits an int32.
constexpr int32_t i16_limit = 8191;

constexpr int64_t lane_bytes = 4;

/// The number of values in a lane.
constexpr int64_t lane_values(ComputeType type) {
    return type == ComputeType::f32 ? 1 : type == ComputeType::q8_0 ? 4 : 2;
}

/// The bytes of a quant block's scale in the weights; 0 for types without scales.
constexpr int64_t weight_scale_bytes(ComputeType type) {
    return type == ComputeType::q8_0 ? 2 : type == ComputeType::i16 ? 4 : 0;
}

/// The inner kernel of one compute type for one instruction set.
struct Conv1dKernel {
    const char * name;
    ComputeType type;
    int64_t max_rows; ///< the most rows in one call; it divides 12
    bool both;        ///< whether the kernel can compute two output blocks at once; if not, weights2 must be null
    void (*run)(const Conv1dTile & tile, int64_t rows);
    /// All types but F32: writes leaky(x) of the channels of one or more frames as lanes. Q8_0 and I16: also writes the
    /// scale of each quant block. Q8_0: also writes the initial value of the block's sum of products, or what the
    /// kernel needs to compute it.
    void (*load)(const float * x, int64_t channels, float slope, void * to, float * scales, int32_t * sums) = nullptr;
    /// F32 and I16: the transforms of each Winograd scheme.
    const WinogradTransforms * winograd = nullptr;
    // Only for Q8_0:
    int32_t weight_zero = 0;          ///< added to every weight, so that none is negative
    bool outdone_by_winograd = false; ///< Winograd's algorithm in I16 or F32 is faster than this kernel (also for BF16)
    /// Writes the sums of the weights of each quant block of an output block, [quant_blocks][16], which the kernel then
    /// takes as weight_sums; null if the kernel does not need them. A kernel that does computes one output block at a
    /// time.
    void (*sum_weights)(const void * weights, int64_t quant_blocks, int32_t * to) = nullptr;
    /// A kernel with the same results for calls with fewer than few_rows rows, where summing the weights costs more
    /// than it saves; or null.
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

/// The best kernel for `type` on this CPU, or the best one for F32 if there is none.
const Conv1dKernel & conv1d_kernel(ComputeType type);

/// Makes conv1d_kernel() return this kernel for its type, for tests and benchmarks; null restores the best kernels.
/// Must not be called while a graph runs. Weights that are packed already keep their kernel, except for those in F32.
void set_conv1d_kernel(const Conv1dKernel * kernel);

/// Sets whether weights that are packed from now on may be computed by Winograd's algorithm, where that is faster. For
/// tests and benchmarks.
void allow_conv1d_winograd(bool allowed);
bool conv1d_winograd_allowed();

/// All kernels that this CPU can run, the best of each type first; returns their count.
constexpr int max_conv1d_kernels = 10;
int conv1d_kernels(const Conv1dKernel * (&kernels)[max_conv1d_kernels]);

} // namespace moss
