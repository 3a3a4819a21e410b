#include "conv1d_kernel.h"

#include <arm_neon.h>

#include "conv1d_kernel.inc"
// must follow conv1d_kernel.inc
#include "conv1d_integer.inc"

namespace moss {

namespace {

/// A lane is four signed bytes.
struct Vector {
    static constexpr int width = 4;
    using type = float32x4_t;
    static constexpr int values = 4;
    static constexpr bool sums_weights = false;
    using lane = int32_t;
    using scale = uint16_t;
    using lanes = int8x16_t;
    using sums = int32x4_t;
    static type zero() { return vdupq_n_f32(0.0F); }
    static type load(const float * p) { return vld1q_f32(p); }
    static void store(float * p, type v) { vst1q_f32(p, v); }
    static type broadcast(const float * p) { return vld1q_dup_f32(p); }
    static type add(type a, type b) { return vaddq_f32(a, b); }
    static type mul(type a, type b) { return vmulq_f32(a, b); }
    static type fma(type a, type b, type c) { return vfmaq_f32(c, a, b); }
    static type leaky(type v, type slope) { return vfmaq_f32(vmaxq_f32(v, zero()), slope, vminq_f32(v, zero())); }
    static lanes load_lanes(const lane * p) { return vreinterpretq_s8_s32(vld1q_s32(p)); }
    static lanes broadcast_lane(const lane * p) { return vreinterpretq_s8_s32(vld1q_dup_s32(p)); }
    static type load_scales(const uint16_t * p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
    static sums begin(const int32_t * /*input_sum*/) { return vdupq_n_s32(0); }
    static type to_float(sums v) { return vcvtq_f32_s32(v); }
    static sums dot_integers(lanes x, lanes w, sums sum) { return vdotq_s32(sum, x, w); }
};

void load_block(const float * x, float slope, int8_t * out, float * scale) {
    const float32x4_t slopes = vdupq_n_f32(slope);
    float32x4_t most = Vector::zero();
    for (int64_t c = 0; c < quant_block; c += 4) {
        most = vmaxq_f32(most, vabsq_f32(Vector::leaky(vld1q_f32(x + c), slopes)));
    }
    const float largest = vmaxvq_f32(most);
    *scale = largest / 127.0F;
    const float32x4_t factor = vdupq_n_f32(largest > 0.0F ? 127.0F / largest : 0.0F);
    for (int64_t c = 0; c < quant_block; c += 4) {
        const int32x4_t rounded = vcvtnq_s32_f32(vmulq_f32(Vector::leaky(vld1q_f32(x + c), slopes), factor));
        const int16x4_t words = vmovn_s32(rounded);
        const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
        vst1_lane_s32(reinterpret_cast<int32_t *>(out + c), vreinterpret_s32_s8(bytes), 0);
    }
}

void load(const float * x, int64_t channels, float slope, void * to, float * scales, int32_t * /*sums*/) {
    auto * out = static_cast<int8_t *>(to);
    for (int64_t c = 0; c < channels; c += quant_block) {
        load_block(x + c, slope, out + c, scales++);
    }
}

} // namespace

// Registers: 4 x 4 integer sums, 4 weights and a broadcast value are 21 of 32. The float sums are kept on the stack.
const Conv1dKernel conv1d_dotprod = {"dotprod", ComputeType::q8_0, 4, false, conv1d_run<IntegerTile, Vector, 4, false>,
                                     load};

} // namespace moss
