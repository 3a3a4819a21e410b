// Loops over floats that gain from wider vectors, compiled once for each instruction set.

#pragma once

#include <cstdint>

namespace moss {

struct VectorOps {
    /// tanh(a) * sigmoid(b), within 2e-7.
    void (*gate)(const float * a, const float * b, float * y, int64_t count);
    /// PyTorch's default GELU (with erf), within 1e-7 |x|.
    void (*gelu)(const float * x, float * y, int64_t count);
    /// Within 2e-7.
    void (*tanh)(const float * x, float * y, int64_t count);
    /// z + sin(alpha z)^2 / alpha of z = scale x + shift, within 2e-7 of sin^2, for |alpha z| < 1e5; `inverse` is 1 /
    /// alpha. y may be x.
    void (*snake)(const float * x, const float * scale, const float * shift, const float * alpha, const float * inverse,
                  float * y, int64_t count);
    /// max(x, 0) + slope * min(x, 0)
    void (*leaky)(const float * x, float * y, float slope, int64_t count);
    /// Replaces each x by e^(scale (x - max)), within 2e-7, where max is the largest x; returns their sum. `scale` >=
    /// 0, `count` > 0.
    float (*softmax_weights)(float * x, float scale, int64_t count);
    /// a . b, summed in the same order on every CPU.
    float (*dot)(const float * a, const float * b, int64_t count);
    /// to += scale * from
    void (*add_scaled)(float * to, const float * from, float scale, int64_t count);
    /// to += a * b, value by value
    void (*add_products)(float * to, const float * a, const float * b, int64_t count);
};

extern const VectorOps vector_ops_portable;
#if defined(__x86_64__) || defined(_M_X64)
extern const VectorOps vector_ops_avx2;
extern const VectorOps vector_ops_avx512;
#endif

/// The loops for this CPU's best instruction set.
const VectorOps & vector_ops();

} // namespace moss
