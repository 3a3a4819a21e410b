#include "conv1d_kernel.h"

#include <immintrin.h>

#include "conv1d_kernel.inc"
// after it
#include "conv1d_winograd.inc"

namespace moss {

namespace {

struct Vector {
    static constexpr int width = 16;
    using type = __m512;
    using lane = float;
    using lanes = __m512;
    static type load(const float * p) { return _mm512_loadu_ps(p); }
    static void store(float * p, type v) { _mm512_storeu_ps(p, v); }
    static type broadcast(const float * p) { return _mm512_set1_ps(*p); }
    static type add(type a, type b) { return _mm512_add_ps(a, b); }
    static type sub(type a, type b) { return _mm512_sub_ps(a, b); }
    static type leaky(type v, type slope) {
        const type zero = _mm512_setzero_ps();
        // maskz: GCC 12 takes the plain forms' undefined pass-through for an uninitialized variable.
        return _mm512_fmadd_ps(slope, _mm512_maskz_min_ps(0xFFFF, v, zero), _mm512_maskz_max_ps(0xFFFF, v, zero));
    }
    static lanes load_lanes(const lane * p) { return load(p); }
    static lanes broadcast_lane(const lane * p) { return broadcast(p); }
    static type dot(lanes a, lanes b, type sum) { return _mm512_fmadd_ps(a, b, sum); }
};

} // namespace

// 12 x 2 accumulators, 2 weights and a broadcast value: 27 of 32 registers.
const Conv1dKernel conv1d_avx512 = {
    "avx512", ConvType::f32, 12, true, conv1d_run<FloatTile, Vector, 12, true>, nullptr, winograd_transforms<Vector>};

} // namespace moss
