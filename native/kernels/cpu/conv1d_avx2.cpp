#include "conv1d_kernel.h"

#include <immintrin.h>

// GCC keeps a tile's sums in registers only where these loops are gone before it decides: else it stores and loads all
// twelve at every step, and half of the speed is lost.
#if defined(__GNUC__) && !defined(__clang__)
#define MOSS_UNROLL _Pragma("GCC unroll 16")
#define MOSS_UNROLL_FOUR _Pragma("GCC unroll 4")
#define MOSS_ASM
#endif
#include "conv1d_kernel.inc"
// after it
#include "conv1d_integer.inc"
#include "conv1d_winograd.inc"

namespace moss {

namespace {

struct Vector {
    static constexpr int width = 8;
    using type = __m256;
    using lane = float;
    using lanes = __m256;
    static type zero() { return _mm256_setzero_ps(); }
    static type load(const float * p) { return _mm256_loadu_ps(p); }
    static void store(float * p, type v) { _mm256_storeu_ps(p, v); }
    static type broadcast(const float * p) { return _mm256_broadcast_ss(p); }
    static type add(type a, type b) { return _mm256_add_ps(a, b); }
    static type sub(type a, type b) { return _mm256_sub_ps(a, b); }
    static type mul(type a, type b) { return _mm256_mul_ps(a, b); }
    static type fma(type a, type b, type c) { return _mm256_fmadd_ps(a, b, c); }
    static type leaky(type v, type slope) {
        return _mm256_fmadd_ps(slope, _mm256_min_ps(v, zero()), _mm256_max_ps(v, zero()));
    }
    static lanes load_lanes(const lane * p) { return load(p); }
    static lanes broadcast_lane(const lane * p) { return broadcast(p); }
    static type dot(lanes a, lanes b, type sum) { return fma(a, b, sum); }
};

struct Integers : Vector {
    using lane = int32_t;
    using lanes = __m256i;
    using sums = __m256i;
    static lanes load_lanes(const lane * p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)); }
    static lanes broadcast_lane(const lane * p) { return _mm256_set1_epi32(*p); }
    static sums begin(const int32_t * /*input_sum*/) { return _mm256_setzero_si256(); }
    static type to_float(sums v) { return _mm256_cvtepi32_ps(v); }
    /// Products of words, two and two.
    static sums add_products(lanes a, lanes b, sums sum) {
#ifdef MOSS_ASM
        // GCC reorders sums of integers: it would take all of a tile's at once, on the stack.
        lanes product;
        __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(a), "x"(b));
        return sum;
#else
        return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
#endif
    }
};

/// A lane is two signed words.
struct Words : Integers {
    static constexpr int values = 2;
    using scale = float;
    static type load_scales(const scale * p) { return load(p); }
    static sums dot_integers(lanes x, lanes w, sums sum) { return add_products(x, w, sum); }
};

/// A lane is four signed bytes.
struct Bytes : Integers {
    static constexpr int values = 4;
    using scale = uint16_t;
    static type load_scales(const scale * p) {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)));
    }
    /// |x| (w sign(x)): two products of at most 127 * 127 fit int16, where x (w) around 128 would saturate.
    static sums dot_integers(lanes x, lanes w, sums sum) {
        const lanes pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(w, x));
        return add_products(pairs, _mm256_set1_epi16(1), sum);
    }
};

/// Rounds four vectors, times `factor`, to words.
void store_block(const __m256 (&values)[4], __m256 factor, int16_t * out) {
    for (int i = 0; i < 4; i += 2) {
        const __m256i first = _mm256_cvtps_epi32(_mm256_mul_ps(values[i], factor));
        const __m256i second = _mm256_cvtps_epi32(_mm256_mul_ps(values[i + 1], factor));
        const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(first, second), 0xD8); // in order again
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(out + i * 8), words);
    }
}

/// To bytes.
void store_block(const __m256 (&values)[4], __m256 factor, int8_t * out) {
    for (int i = 0; i < 4; i++) {
        const __m256i rounded = _mm256_cvtps_epi32(_mm256_mul_ps(values[i], factor));
        const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
        _mm_storel_epi64(reinterpret_cast<__m128i *>(out + 8 * i), _mm_packs_epi16(words, words));
    }
}

/// leaky(x) of a block as integers up to `Most`.
template <class Integer, int32_t Most>
void load_block(const float * x, float slope, Integer * out, float * scale) {
    constexpr auto limit = static_cast<float>(Most);
    const __m256 slopes = _mm256_set1_ps(slope);
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
    __m256 values[4];
    __m256 most = Vector::zero();
    for (int i = 0; i < 4; i++) {
        values[i] = Vector::load(x + 8 * i);
        values[i] = slope != 1.0F ? Vector::leaky(values[i], slopes) : values[i];
        most = _mm256_max_ps(most, _mm256_and_ps(magnitude, values[i]));
    }
    __m128 largest = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
    largest = _mm_max_ps(largest, _mm_movehl_ps(largest, largest));
    largest = _mm_max_ss(largest, _mm_movehdup_ps(largest));
    const float peak = _mm_cvtss_f32(largest);
    *scale = peak * (1.0F / limit);
    store_block(values, _mm256_set1_ps(peak > 0.0F ? limit / peak : 0.0F), out);
}

template <class Integer, int32_t Most>
void load(const float * x, int64_t channels, float slope, void * to, float * scales, int32_t * /*sums*/) {
    auto * out = static_cast<Integer *>(to);
    for (int64_t c = 0; c < channels; c += conv1d_block) {
        load_block<Integer, Most>(x + c, slope, out + c, scales++);
    }
}

} // namespace

// 6 x 2 accumulators, 2 weights and a broadcast value: 15 of 16 registers.
const Conv1dKernel conv1d_avx2 = {
    "avx2", ConvType::f32, 6, conv1d_run<FloatTile, Vector, 6, false>, nullptr, 0, winograd_transforms<Vector>, false};

// 4 x 2 sums of integers, 2 weights, a broadcast value and a product; the sums of floats rest on the stack.
const Conv1dKernel conv1d_avx2_i16 = {"avx2",
                                      ConvType::i16,
                                      4,
                                      conv1d_run<IntegerTile, Words, 4, false>,
                                      load<int16_t, conv1d_i16_most>,
                                      0,
                                      winograd_transforms<Vector>,
                                      false};

// 4 x 2 sums, 2 weights, a broadcast value and what its product needs; the sums of floats rest on the stack.
const Conv1dKernel conv1d_avx2_q8_0 = {
    "avx2", ConvType::q8_0, 4, conv1d_run<IntegerTile, Bytes, 4, false>, load<int8_t, 127>, 0, nullptr, true};

} // namespace moss
