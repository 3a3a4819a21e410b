// The inner kernels of conv1d, one per instruction set.

#pragma once

#include <cstdint>

namespace moss {

/// Rows (output times) x panels of 16 output channels: y = leaky(x * w + bias) + residual.
struct Conv1dTile {
    const float * x;        // the first row's first tap
    int64_t row_step;       // floats from a row's window to the next one's
    int64_t tap_step;       // floats from tap to tap
    int64_t taps;           //
    int64_t channels;       // contiguous, of one tap
    const float * weights;  // [taps][channels][16]
    const float * weights2; // of the second panel, or null
    const float * biases;   // [16 or 32]
    const float * residual; // or null; rows are residual_step apart
    int64_t residual_step;  //
    float slope;            // 1: no activation; 0: relu
    float * y;              // rows are y_step apart
    int64_t y_step;
};

/// A kernel computes `rows` <= max_rows rows.
struct Conv1dKernel {
    const char * name;
    int64_t max_rows;
    void (*run)(const Conv1dTile & tile, int64_t rows);
};

extern const Conv1dKernel conv1d_portable;
#if defined(__x86_64__) || defined(_M_X64)
extern const Conv1dKernel conv1d_avx2;
extern const Conv1dKernel conv1d_avx512;
#elif defined(__aarch64__) || defined(_M_ARM64)
extern const Conv1dKernel conv1d_neon;
#endif

/// The best one for this CPU.
const Conv1dKernel & conv1d_kernel();

/// Makes conv1d_kernel() give this one, for tests and benchmarks; null: the best one again. Not while a graph runs.
void set_conv1d_kernel(const Conv1dKernel * kernel);

/// All that this CPU can run, `count` of them (at most 3).
int conv1d_kernels(const Conv1dKernel * (&kernels)[3]);

} // namespace moss
