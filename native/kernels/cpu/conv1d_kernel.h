// The inner kernels of conv1d, one per instruction set and type of weights.

#pragma once

#include "conv1d.h"

#include <cstdint>

namespace moss {

/// Rows (output times) x panels of 16 output channels: y = leaky(x * w + bias) + residual. A lane is 32 bits: one F32,
/// two BF16 or four INT8 values of neighbouring channels.
struct Conv1dTile {
    const void * x;             // the first row's first tap
    int64_t row_step;           // bytes from a row's window to the next one's
    int64_t tap_step;           // bytes from tap to tap
    int64_t taps;               //
    int64_t lanes;              // contiguous, of one tap
    const void * weights;       // [taps][lanes][16] lanes
    const void * weights2;      // of the second panel, or null
    const float * biases;       // [16 or 32]
    const float * scales;       // INT8: [16 or 32], of the weights
    const int32_t * offsets;    // INT8: [taps][16], where a sum begins
    const int32_t * offsets2;   // of the second panel
    const float * frame_scales; // INT8: of the first row's first tap
    int64_t row_frames;         // INT8: frames from a row's window to the next one's
    int64_t tap_frames;         // INT8: frames from tap to tap
    const float * residual;     // or null; rows are residual_step floats apart
    int64_t residual_step;      //
    float slope;                // 1: no activation; 0: relu
    float * y;                  // rows are y_step floats apart
    int64_t y_step;
};

/// A kernel computes `rows` <= max_rows rows; 12 is a multiple of max_rows.
struct Conv1dKernel {
    const char * name;
    ConvType type;
    int64_t max_rows;
    void (*run)(const Conv1dTile & tile, int64_t rows);
    /// Not F32: leaky(x) of one frame as the kernel's lanes; `scale` is that of INT8.
    void (*load)(const float * x, int64_t channels, float slope, void * to, float * scale);
    /// INT8: what load() adds to every value. The weights are packed for it.
    int32_t zero;
};

extern const Conv1dKernel conv1d_portable;
#if defined(__x86_64__) || defined(_M_X64)
extern const Conv1dKernel conv1d_avx2;
extern const Conv1dKernel conv1d_avx2_int8;
extern const Conv1dKernel conv1d_avx512;
extern const Conv1dKernel conv1d_avx512bf16;
extern const Conv1dKernel conv1d_avx512vnni;
#elif defined(__aarch64__) || defined(_M_ARM64)
extern const Conv1dKernel conv1d_neon;
extern const Conv1dKernel conv1d_dotprod;
#endif

/// The best one for weights of that type on this CPU; F32's where there is none.
const Conv1dKernel & conv1d_kernel(ConvType type);

/// Makes conv1d_kernel() give this one for its type, for tests and benchmarks; null: the best ones again. Not while a
/// graph runs. Of weights that are packed already only those in F32 follow.
void set_conv1d_kernel(const Conv1dKernel * kernel);

/// All that this CPU can run, the best of each type first, `count` of them (at most 6).
int conv1d_kernels(const Conv1dKernel * (&kernels)[6]);

} // namespace moss
