#include "conv1d_kernel.h"

#include <immintrin.h>

#include "conv1d_kernel.inc"
// after it
#include "conv1d_integer.inc"

namespace moss {

namespace {

/// A lane is four values: of the input signed, of the weights unsigned, around 128, as VPDPBUSD takes them.
struct Vector {
    static constexpr int width = 16;
    using type = __m512;
    static constexpr int values = 4;
    static constexpr bool sums_weights = false;
    using lane = int32_t;
    using scale = uint16_t;
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
    static type load_scales(const uint16_t * p) {
        return _mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
    }
    static sums begin(const int32_t * p) { return _mm512_set1_epi32(*p); }
    static type to_float(sums v) { return _mm512_maskz_cvtepi32_ps(0xFFFF, v); }
    static sums dot_integers(lanes x, lanes w, sums sum) { return _mm512_dpbusd_epi32(sum, w, x); }
};

constexpr int32_t weight_zero = 128;

/// Rounds a block, a and b times `factor`, to bytes; returns what adds up to their sum.
__m512i store_block(__m512 a, __m512 b, __m512 factor, int8_t * out) {
    const __m512i first = _mm512_maskz_cvtps_epi32(0xFFFF, _mm512_mul_ps(a, factor));
    const __m512i second = _mm512_maskz_cvtps_epi32(0xFFFF, _mm512_mul_ps(b, factor));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out), _mm512_maskz_cvtepi32_epi8(0xFFFF, first));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out + 16), _mm512_maskz_cvtepi32_epi8(0xFFFF, second));
    return _mm512_add_epi32(first, second);
}

void load_block(const float * x, float slope, int8_t * out, float * scale, int32_t * sum) {
    const __m512 slopes = _mm512_set1_ps(slope);
    const __m512 a = Vector::leaky(_mm512_loadu_ps(x), slopes);
    const __m512 b = Vector::leaky(_mm512_loadu_ps(x + 16), slopes);
    const float largest = _mm512_reduce_max_ps(_mm512_maskz_max_ps(0xFFFF, _mm512_abs_ps(a), _mm512_abs_ps(b)));
    *scale = largest / 127.0F;
    const __m512 factor = _mm512_set1_ps(largest > 0.0F ? 127.0F / largest : 0.0F);
    *sum = -weight_zero * _mm512_reduce_add_epi32(store_block(a, b, factor, out));
}

/// Across four vectors: lane i of every four lanes of the result is `join` of vector i's 16 lanes.
template <class Join>
__m512i across(__m512i a, __m512i b, __m512i c, __m512i d, Join join) {
    const __m512i ab = join(_mm512_maskz_unpacklo_epi32(0xFFFF, a, b), _mm512_maskz_unpackhi_epi32(0xFFFF, a, b));
    const __m512i cd = join(_mm512_maskz_unpacklo_epi32(0xFFFF, c, d), _mm512_maskz_unpackhi_epi32(0xFFFF, c, d));
    const __m512i all = join(_mm512_maskz_unpacklo_epi64(0xFF, ab, cd), _mm512_maskz_unpackhi_epi64(0xFF, ab, cd));
    const __m512i half = join(all, _mm512_maskz_shuffle_i64x2(0xFF, all, all, 0x4E));
    return join(half, _mm512_maskz_shuffle_i64x2(0xFF, half, half, 0xB1));
}

/// Four blocks: what is reduced to one number a block is reduced for all four at once.
void load_blocks(const float * x, float slope, int8_t * out, float * scales, int32_t * sums) {
    const __m512 slopes = _mm512_set1_ps(slope);
    __m512 values[8];
    __m512i largest[4];
    for (int i = 0; i < 8; i++) {
        values[i] = Vector::leaky(_mm512_loadu_ps(x + i * 16), slopes);
    }
    for (int i = 0; i < 4; i++) { // of numbers that are not negative, the bits have the same order
        largest[i] = _mm512_maskz_max_epi32(0xFFFF, _mm512_castps_si512(_mm512_abs_ps(values[2 * i])),
                                            _mm512_castps_si512(_mm512_abs_ps(values[2 * i + 1])));
    }
    const __m512 most =
        _mm512_castsi512_ps(across(largest[0], largest[1], largest[2], largest[3],
                                   [](__m512i a, __m512i b) { return _mm512_maskz_max_epi32(0xFFFF, a, b); }));
    _mm_storeu_ps(scales, _mm512_castps512_ps128(_mm512_div_ps(most, _mm512_set1_ps(127.0F))));
    const __mmask16 positive = _mm512_cmp_ps_mask(most, _mm512_setzero_ps(), _CMP_GT_OQ);
    const __m512 factors = _mm512_maskz_div_ps(positive, _mm512_set1_ps(127.0F), most);
    __m512i total[4];
    for (int i = 0; i < 4; i++) {
        const __m512 factor = _mm512_maskz_permutexvar_ps(0xFFFF, _mm512_set1_epi32(i), factors);
        total[i] = store_block(values[2 * i], values[2 * i + 1], factor, out + i * conv1d_block);
    }
    const __m512i sum =
        across(total[0], total[1], total[2], total[3], [](__m512i a, __m512i b) { return _mm512_add_epi32(a, b); });
    _mm_storeu_si128(reinterpret_cast<__m128i *>(sums),
                     _mm512_castsi512_si128(_mm512_mullo_epi32(sum, _mm512_set1_epi32(-weight_zero))));
}

void load(const float * x, int64_t channels, float slope, void * to, float * scales, int32_t * sums) {
    auto * out = static_cast<int8_t *>(to);
    int64_t c = 0;
    for (; c + 4 * conv1d_block <= channels; c += 4 * conv1d_block, scales += 4, sums += 4) {
        load_blocks(x + c, slope, out + c, scales, sums);
    }
    for (; c < channels; c += conv1d_block) {
        load_block(x + c, slope, out + c, scales++, sums++);
    }
}

} // namespace

// 6 x 2 sums of integers and as many of floats, 2 weights and a broadcast value: 27 of 32 registers.
const Conv1dKernel conv1d_avx512vnni = {
    "avx512_vnni", ConvType::q8_0, 6, true, conv1d_run<IntegerTile, Vector, 6, true>, load, nullptr, weight_zero};

} // namespace moss
