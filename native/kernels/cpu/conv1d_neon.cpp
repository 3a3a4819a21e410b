#include "conv1d_kernel.h"

#include <arm_neon.h>

#include "conv1d_kernel.inc"

namespace moss {

namespace {

struct Vector {
    static constexpr int width = 4;
    using type = float32x4_t;
    static type load(const float * p) { return vld1q_f32(p); }
    static void store(float * p, type v) { vst1q_f32(p, v); }
    static type broadcast(const float * p) { return vld1q_dup_f32(p); }
    static type fma(type a, type b, type c) { return vfmaq_f32(c, a, b); }
    static type add(type a, type b) { return vaddq_f32(a, b); }
    static type leaky(type v, type slope) {
        const type zero = vdupq_n_f32(0.0F);
        return vfmaq_f32(vmaxq_f32(v, zero), slope, vminq_f32(v, zero));
    }
};

} // namespace

// 6 x 4 accumulators, 4 weights and a broadcast value: 29 of 32 registers.
const Conv1dKernel conv1d_neon = {"neon", 6, conv1d_run<Vector, 6, false>};

} // namespace moss
