#include "conv1d_kernel.h"

#include <arm_neon.h>

#include "conv1d_kernel.inc"
// must follow conv1d_kernel.inc
#include "conv1d_winograd.inc"

namespace moss {

namespace {

struct Vector {
    static constexpr int width = 4;
    using type = float32x4_t;
    using lane = float;
    using lanes = float32x4_t;
    static type load(const float * p) { return vld1q_f32(p); }
    static void store(float * p, type v) { vst1q_f32(p, v); }
    static type broadcast(const float * p) { return vld1q_dup_f32(p); }
    static type add(type a, type b) { return vaddq_f32(a, b); }
    static type sub(type a, type b) { return vsubq_f32(a, b); }
    static type leaky(type v, type slope) {
        const type zero = vdupq_n_f32(0.0F);
        return vfmaq_f32(vmaxq_f32(v, zero), slope, vminq_f32(v, zero));
    }
    static lanes load_lanes(const lane * p) { return load(p); }
    static lanes broadcast_lane(const lane * p) { return broadcast(p); }
    static type dot(lanes a, lanes b, type sum) { return vfmaq_f32(sum, a, b); }
};

} // namespace

// Registers: 6 x 4 sums, 4 weights and a broadcast value are 29 of 32.
const Conv1dKernel conv1d_neon = {
    "neon", ComputeType::f32, 6, false, conv1d_run<FloatTile, Vector, 6, false>, nullptr, winograd_transforms<Vector>};

} // namespace moss
