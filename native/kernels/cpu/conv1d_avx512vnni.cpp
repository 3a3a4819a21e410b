#include "conv1d_kernel.h"

#include "conv1d_kernel.inc"
// must follow conv1d_kernel.inc
#include "conv1d_avx512.inc"
#include "conv1d_integer.inc"
#include "conv1d_winograd.inc"

namespace moss {

namespace {

struct Integers : PackedLanes {
    static constexpr bool sums_weights = false;
    using sums = __m512i;
    static type to_float(sums v) { return _mm512_maskz_cvtepi32_ps(0xFFFF, v); }
};

/// A lane is two signed 16-bit integers.
struct Words : Integers {
    static constexpr int values = 2;
    static constexpr float most = i16_limit;
    using scale = float;
    static type load_scales(const scale * p) { return load(p); }
    static sums begin(const int32_t * /*input_sum*/) { return _mm512_setzero_si512(); }
    static sums dot_integers(lanes x, lanes w, sums sum) { MOSS_DOT("vpdpwssd", _mm512_dpwssd_epi32, sum, x, w); }
    static void narrow(lanes a, lanes b, int64_t at, void * to) {
        auto * out = static_cast<int16_t *>(to) + at;
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(out), _mm512_maskz_cvtepi32_epi16(0xFFFF, a));
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(out + 16), _mm512_maskz_cvtepi32_epi16(0xFFFF, b));
    }
    static constexpr int32_t weight_zero = 0;
};

/// A lane is four bytes, as VPDPBUSD takes them: the input is signed, and the weights are unsigned, with 128 for 0.
struct Bytes : Integers {
    static constexpr int values = 4;
    static constexpr float most = 127.0F;
    using scale = uint16_t;
    static type load_scales(const scale * p) {
        return _mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
    }
    static sums begin(const int32_t * p) { return _mm512_set1_epi32(*p); }
    static sums dot_integers(lanes x, lanes w, sums sum) { MOSS_DOT("vpdpbusd", _mm512_dpbusd_epi32, sum, w, x); }
    static void narrow(lanes a, lanes b, int64_t at, void * to) {
        auto * out = static_cast<int8_t *>(to) + at;
        _mm_storeu_si128(reinterpret_cast<__m128i *>(out), _mm512_maskz_cvtepi32_epi8(0xFFFF, a));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(out + 16), _mm512_maskz_cvtepi32_epi8(0xFFFF, b));
    }
    static constexpr int32_t weight_zero = 128;
};

/// Rounds a quant block (a and b, times `factor`) and writes it at value `at`. The lanes of the result add up to the
/// sum of the block.
template <class V>
__m512i store_block(__m512 a, __m512 b, __m512 factor, int64_t at, void * to) {
    const __m512i first = _mm512_maskz_cvtps_epi32(0xFFFF, _mm512_mul_ps(a, factor));
    const __m512i second = _mm512_maskz_cvtps_epi32(0xFFFF, _mm512_mul_ps(b, factor));
    V::narrow(first, second, at, to);
    return _mm512_add_epi32(first, second);
}

template <class V>
void load_block(const float * x, float slope, int64_t at, void * to, float * scale, int32_t * sum) {
    const __m512 slopes = _mm512_set1_ps(slope);
    const __m512 a = V::leaky(_mm512_loadu_ps(x), slopes);
    const __m512 b = V::leaky(_mm512_loadu_ps(x + 16), slopes);
    const float largest = _mm512_reduce_max_ps(_mm512_maskz_max_ps(0xFFFF, _mm512_abs_ps(a), _mm512_abs_ps(b)));
    *scale = largest / V::most;
    const __m512 factor = _mm512_set1_ps(largest > 0.0F ? V::most / largest : 0.0F);
    const __m512i total = store_block<V>(a, b, factor, at, to);
    if constexpr (V::weight_zero != 0) {
        *sum = -V::weight_zero * _mm512_reduce_add_epi32(total);
    }
}

/// Reduces four vectors at once: lane i of every four lanes of the result is `join` of the 16 lanes of vector i.
template <class Join>
__m512i across(__m512i a, __m512i b, __m512i c, __m512i d, Join join) {
    const __m512i ab = join(_mm512_maskz_unpacklo_epi32(0xFFFF, a, b), _mm512_maskz_unpackhi_epi32(0xFFFF, a, b));
    const __m512i cd = join(_mm512_maskz_unpacklo_epi32(0xFFFF, c, d), _mm512_maskz_unpackhi_epi32(0xFFFF, c, d));
    const __m512i all = join(_mm512_maskz_unpacklo_epi64(0xFF, ab, cd), _mm512_maskz_unpackhi_epi64(0xFF, ab, cd));
    const __m512i half = join(all, _mm512_maskz_shuffle_i64x2(0xFF, all, all, 0x4E));
    return join(half, _mm512_maskz_shuffle_i64x2(0xFF, half, half, 0xB1));
}

/// Loads four quant blocks; their maxima and sums are reduced together.
template <class V>
void load_blocks(const float * x, float slope, int64_t at, void * to, float * scales, int32_t * sums) {
    const __m512 slopes = _mm512_set1_ps(slope);
    __m512 values[8];
    __m512i largest[4];
    for (int i = 0; i < 8; i++) {
        values[i] = V::leaky(_mm512_loadu_ps(x + i * 16), slopes);
    }
    for (int i = 0; i < 4; i++) { // the bit patterns of non-negative floats are ordered as the floats are
        largest[i] = _mm512_maskz_max_epi32(0xFFFF, _mm512_castps_si512(_mm512_abs_ps(values[2 * i])),
                                            _mm512_castps_si512(_mm512_abs_ps(values[2 * i + 1])));
    }
    const __m512 most =
        _mm512_castsi512_ps(across(largest[0], largest[1], largest[2], largest[3],
                                   [](__m512i a, __m512i b) { return _mm512_maskz_max_epi32(0xFFFF, a, b); }));
    _mm_storeu_ps(scales, _mm512_castps512_ps128(_mm512_div_ps(most, _mm512_set1_ps(V::most))));
    const __mmask16 positive = _mm512_cmp_ps_mask(most, _mm512_setzero_ps(), _CMP_GT_OQ);
    const __m512 factors = _mm512_maskz_div_ps(positive, _mm512_set1_ps(V::most), most);
    __m512i total[4];
    for (int i = 0; i < 4; i++) {
        const __m512 factor = _mm512_maskz_permutexvar_ps(0xFFFF, _mm512_set1_epi32(i), factors);
        total[i] = store_block<V>(values[2 * i], values[2 * i + 1], factor, at + i * quant_block, to);
    }
    if constexpr (V::weight_zero != 0) {
        const __m512i sum =
            across(total[0], total[1], total[2], total[3], [](__m512i a, __m512i b) { return _mm512_add_epi32(a, b); });
        _mm_storeu_si128(reinterpret_cast<__m128i *>(sums),
                         _mm512_castsi512_si128(_mm512_mullo_epi32(sum, _mm512_set1_epi32(-V::weight_zero))));
    }
}

template <class V>
void load(const float * x, int64_t channels, float slope, void * to, float * scales, int32_t * sums) {
    const int64_t blocks = channels / quant_block;
    int64_t block = 0;
    for (; block + 4 <= blocks; block += 4) {
        const int64_t at = block * quant_block;
        load_blocks<V>(x + at, slope, at, to, scales + block, V::weight_zero != 0 ? sums + block : nullptr);
    }
    for (; block < blocks; block++) {
        const int64_t at = block * quant_block;
        load_block<V>(x + at, slope, at, to, scales + block, V::weight_zero != 0 ? sums + block : nullptr);
    }
}

} // namespace

// Registers: 6 x 2 integer sums and as many float sums, 2 weights and a broadcast value are 27 of 32.
const Conv1dKernel conv1d_avx512vnni = {
    "avx512_vnni", ComputeType::q8_0, 6, true, conv1d_run<IntegerTile, Bytes, 6, true>, load<Bytes>,
    nullptr,       Bytes::weight_zero};

// The same.
const Conv1dKernel conv1d_avx512vnni_i16 = {
    "avx512_vnni", ComputeType::i16,           6, true, conv1d_run<IntegerTile, Words, 6, true>,
    load<Words>,   winograd_transforms<Vector>};

} // namespace moss
