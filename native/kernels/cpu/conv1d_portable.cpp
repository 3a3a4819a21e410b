#include "conv1d_kernel.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#endif

#include "conv1d_kernel.inc"
// must follow conv1d_kernel.inc
#include "conv1d_winograd.inc"

namespace moss {

namespace {

#if defined(__x86_64__) || defined(_M_X64)

/// Four floats in SSE2, which all x86-64 processors have. It is written out because compilers vectorise the plain form
/// over the wrong loop.
struct Vector {
    static constexpr int width = 4;
    using type = __m128;
    using lane = float;
    using lanes = type;
    static type load(const float * p) { return _mm_loadu_ps(p); }
    static void store(float * p, type v) { _mm_storeu_ps(p, v); }
    static type broadcast(const float * p) { return _mm_set1_ps(*p); }
    static type add(type a, type b) { return _mm_add_ps(a, b); }
    static type sub(type a, type b) { return _mm_sub_ps(a, b); }
    static type leaky(type v, type slope) {
        const type zero = _mm_setzero_ps();
        return dot(slope, _mm_min_ps(v, zero), _mm_max_ps(v, zero));
    }
    static lanes load_lanes(const lane * p) { return load(p); }
    static lanes broadcast_lane(const lane * p) { return broadcast(p); }
    static type dot(lanes a, lanes b, type sum) { return _mm_add_ps(_mm_mul_ps(a, b), sum); }
};

#else

/// Four floats, which a compiler keeps in one register where it can.
struct Vector {
    static constexpr int width = 4;
    struct type {
        float v[4];
    };
    using lane = float;
    using lanes = type;
    template <class F>
    static type each(F f) {
        return {{f(0), f(1), f(2), f(3)}};
    }
    static type load(const float * p) {
        return each([&](int i) { return p[i]; });
    }
    static void store(float * p, const type & a) {
        for (int i = 0; i < 4; i++) {
            p[i] = a.v[i];
        }
    }
    static type broadcast(const float * p) { return {{*p, *p, *p, *p}}; }
    static type add(const type & a, const type & b) {
        return each([&](int i) { return a.v[i] + b.v[i]; });
    }
    static type sub(const type & a, const type & b) {
        return each([&](int i) { return a.v[i] - b.v[i]; });
    }
    static type leaky(const type & a, const type & slope) {
        return each([&](int i) { return a.v[i] >= 0.0F ? a.v[i] : slope.v[i] * a.v[i]; });
    }
    static lanes load_lanes(const lane * p) { return load(p); }
    static lanes broadcast_lane(const lane * p) { return broadcast(p); }
    static type dot(const lanes & a, const lanes & b, const type & sum) {
        return each([&](int i) { return a.v[i] * b.v[i] + sum.v[i]; });
    }
};

#endif

} // namespace

// Registers: 2 x 4 sums, 4 weights and a broadcast value are 13 of the 16 of SSE2.
const Conv1dKernel conv1d_portable = {
    "portable", ComputeType::f32,           2, false, conv1d_run<FloatTile, Vector, 2, false>,
    nullptr,    winograd_transforms<Vector>};

} // namespace moss
