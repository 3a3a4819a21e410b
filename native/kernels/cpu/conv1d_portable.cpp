#include "conv1d_kernel.h"

#include "conv1d_kernel.inc"

namespace moss {

namespace {

/// Four floats that a compiler keeps in one register where it can.
struct Vector {
    static constexpr int width = 4;
    struct type {
        float v[4];
    };
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
    static type fma(const type & a, const type & b, const type & c) {
        return each([&](int i) { return a.v[i] * b.v[i] + c.v[i]; });
    }
    static type add(const type & a, const type & b) {
        return each([&](int i) { return a.v[i] + b.v[i]; });
    }
    static type leaky(const type & a, const type & slope) {
        return each([&](int i) { return a.v[i] >= 0.0F ? a.v[i] : slope.v[i] * a.v[i]; });
    }
};

} // namespace

// 2 x 4 accumulators, 4 weights and a broadcast value: 13 of SSE2's 16 registers.
const Conv1dKernel conv1d_portable = {"portable", 2, conv1d_run<Vector, 2, false>};

} // namespace moss
