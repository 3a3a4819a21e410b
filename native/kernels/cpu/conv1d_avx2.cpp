#include "conv1d_kernel.h"

#include <immintrin.h>

#include "conv1d_kernel.inc"

namespace moss {

namespace {

struct Vector {
    static constexpr int width = 8;
    using type = __m256;
    static type load(const float * p) { return _mm256_loadu_ps(p); }
    static void store(float * p, type v) { _mm256_storeu_ps(p, v); }
    static type broadcast(const float * p) { return _mm256_broadcast_ss(p); }
    static type fma(type a, type b, type c) { return _mm256_fmadd_ps(a, b, c); }
    static type add(type a, type b) { return _mm256_add_ps(a, b); }
    static type leaky(type v, type slope) {
        const type zero = _mm256_setzero_ps();
        return _mm256_fmadd_ps(slope, _mm256_min_ps(v, zero), _mm256_max_ps(v, zero));
    }
};

} // namespace

// 6 x 2 accumulators, 2 weights and a broadcast value: 15 of 16 registers.
const Conv1dKernel conv1d_avx2 = {"avx2", 6, conv1d_run<Vector, 6, false>};

} // namespace moss
