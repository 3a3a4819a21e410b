#include "conv1d_kernel.h"

#include <immintrin.h>

#include "conv1d_kernel.inc"
// after it
#include "conv1d_int8.inc"

namespace moss {

namespace {

/// A lane is four values: of the input signed, of the weights unsigned, around 128, as VPDPBUSD takes them.
struct Vector {
    static constexpr int width = 16;
    using type = __m512;
    using lane = int32_t;
    using lanes = __m512i;
    using sums = __m512i;
    static type zero() { return _mm512_setzero_ps(); }
    static type load(const float * p) { return _mm512_loadu_ps(p); }
    static void store(float * p, type v) { _mm512_storeu_ps(p, v); }
    static type broadcast(const float * p) { return _mm512_set1_ps(*p); }
    static type add(type a, type b) { return _mm512_add_ps(a, b); }
    static type mul(type a, type b) { return _mm512_mul_ps(a, b); }
    static type fma(type a, type b, type c) { return _mm512_fmadd_ps(a, b, c); }
    static type leaky(type v, type slope) {
        return _mm512_fmadd_ps(slope, _mm512_maskz_min_ps(0xFFFF, v, zero()), _mm512_maskz_max_ps(0xFFFF, v, zero()));
    }
    static lanes load_lanes(const lane * p) { return _mm512_loadu_si512(p); }
    static lanes broadcast_lane(const lane * p) { return _mm512_set1_epi32(*p); }
    static type load_half(const uint16_t * p) {
        return _mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
    }
    static sums begin(const int32_t * p) { return _mm512_set1_epi32(*p); }
    static type to_float(sums v) { return _mm512_maskz_cvtepi32_ps(0xFFFF, v); }
    static sums dot_bytes(lanes x, lanes w, sums sum) { return _mm512_dpbusd_epi32(sum, w, x); }
};

constexpr int32_t weight_zero = 128;

void load_block(const float * x, int64_t channels, float slope, int8_t * out, float * scale, int32_t * sum) {
    const __m512 slopes = _mm512_set1_ps(slope);
    __m512 most = _mm512_setzero_ps();
    const auto at = [&](int64_t c, __mmask16 & mask) {
        const int64_t left = channels - c;
        mask = static_cast<__mmask16>(left >= 16 ? 0xFFFF : (1 << left) - 1);
        return Vector::leaky(_mm512_maskz_loadu_ps(mask, x + c), slopes);
    };
    __mmask16 mask = 0;
    for (int64_t c = 0; c < channels; c += 16) {
        most = _mm512_maskz_max_ps(0xFFFF, most, _mm512_abs_ps(at(c, mask)));
    }
    const float largest = _mm512_reduce_max_ps(most);
    *scale = largest / 127.0F;
    const __m512 factor = _mm512_set1_ps(largest > 0.0F ? 127.0F / largest : 0.0F);
    __m512i total = _mm512_setzero_si512();
    for (int64_t c = 0; c < channels; c += 16) {
        const __m512i rounded = _mm512_maskz_cvtps_epi32(0xFFFF, _mm512_mul_ps(at(c, mask), factor));
        total = _mm512_add_epi32(total, rounded);
        _mm512_mask_cvtepi32_storeu_epi8(out + c, mask, rounded);
    }
    *sum = -weight_zero * _mm512_reduce_add_epi32(total);
}

void load(const float * x, int64_t channels, int64_t block, float slope, void * to, float * scales, int32_t * sums) {
    auto * out = static_cast<int8_t *>(to);
    for (int64_t c = 0; c < channels; c += block) {
        load_block(x + c, block, slope, out + c, scales++, sums++);
    }
}

} // namespace

// 6 x 2 sums of integers and as many of floats, 2 weights and a broadcast value: 27 of 32 registers.
const Conv1dKernel conv1d_avx512vnni = {"avx512_vnni", ConvType::int8, 6, conv1d_run<Int8Tile<false>, Vector, 6, true>,
                                        load,          weight_zero};
const Conv1dKernel conv1d_avx512vnni_q8_0 = {
    "avx512_vnni", ConvType::q8_0, 6, conv1d_run<Int8Tile<true>, Vector, 6, true>, load, weight_zero};

} // namespace moss
