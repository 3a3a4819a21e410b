#include "conv1d_kernel.h"

#include "conv1d_avx2.inc"

namespace moss {

namespace {

/// Multiplies 16-bit integers and adds each pair of neighbouring products to `sum`.
MOSS_INLINE __m256i add_products(__m256i a, __m256i b, __m256i sum) {
#ifdef MOSS_ASM
    // Written in assembly because GCC reorders integer sums: it would compute all products first and spill them to the
    // stack.
    __m256i product;
    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(a), "x"(b));
    return sum;
#else
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
#endif
}

/// A lane is two signed 16-bit integers.
struct Words : Integers {
    static constexpr int values = 2;
    using scale = float;
    static type load_scales(const scale * p) { return load(p); }
    static sums dot_integers(lanes x, lanes w, sums sum) { return add_products(x, w, sum); }
};

/// A lane is four bytes; the input is signed.
struct Bytes : Integers {
    static constexpr int values = 4;
    using scale = uint16_t;
    static type load_scales(const scale * p) {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)));
    }
    /// Multiplies |x| and w sign(x). The sum of two products of at most 127 * 127 fits an int16.
    static sums dot_integers(lanes x, lanes w, sums sum) {
        const lanes pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(w, x));
        return add_products(pairs, _mm256_set1_epi16(1), sum);
    }
};

/// The input is quantized to 0 .. 127 with a zero point for each quant block, so that no sign needs to be moved to the
/// weights. The sum of a block's products begins with -zero times the sum of the weights, which cancels what the zero
/// point adds.
struct UnsignedBytes : Bytes {
    static constexpr bool sums_weights = true;
    static sums begin(const int32_t * less_zero, const int32_t * weight_sums) {
        return _mm256_madd_epi16(_mm256_set1_epi32(*less_zero), load_lanes(weight_sums));
    }
    static sums dot_integers(lanes x, lanes w, sums sum) {
        const lanes ones = _mm256_set1_epi16(1);
#ifdef MOSS_ASM
        lanes product; // in assembly, as in add_products
        __asm__("vpmaddubsw %3, %2, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0"
                : "+x"(sum), "=&x"(product)
                : "x"(x), "xm"(w), "x"(ones));
        return sum;
#else
        return add_products(_mm256_maddubs_epi16(x, w), ones, sum);
#endif
    }
};

/// Writes the sum of the 32 weights of each quant block and output channel, as 16-bit integers.
void sum_weights(const void * weights, int64_t blocks, int32_t * to) {
    constexpr int64_t lanes = quant_block / Bytes::values;
    const __m256i bytes = _mm256_set1_epi8(1), words = _mm256_set1_epi16(1);
    const auto * w = static_cast<const __m256i *>(weights);
    for (int64_t half = 0; half < 2 * blocks; half++) {
        const __m256i * from = w + half / 2 * lanes * 2 + half % 2;
        __m256i sum = _mm256_setzero_si256();
        for (int64_t lane = 0; lane < lanes; lane++) { // a sum of 8 pairs of bytes fits 16 bits
            sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(bytes, _mm256_loadu_si256(from + 2 * lane)));
        }
        const __m256i low = _mm256_and_si256(_mm256_madd_epi16(sum, words), _mm256_set1_epi32(0xFFFF));
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to + half * 8), low);
    }
}

/// Writes a quant block as bytes in 0 .. 127 with a zero point that represents 0 exactly; if SIGNED, as differences
/// from the zero point. `less_zero` is the negated zero point.
template <bool SIGNED>
void load_bytes(const float * x, float slope, int8_t * out, float * scale, int32_t * less_zero) {
    constexpr float steps = 127.0F;
    __m256 values[4];
    load_values(x, slope, values);
    __m256 above = Vector::zero(), below = Vector::zero();
    for (const __m256 & value : values) {
        above = _mm256_max_ps(above, value);
        below = _mm256_min_ps(below, value);
    }
    below = _mm256_sub_ps(Vector::zero(), below);
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(above), _mm256_extractf128_ps(above, 1));
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(below), _mm256_extractf128_ps(below, 1));
    a = _mm_max_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    const float least = _mm_cvtss_f32(_mm_movehdup_ps(a)), range = _mm_cvtss_f32(a) + least;
    const float factor = range > 0.0F ? steps / range : 0.0F;
    *scale = range * (1.0F / steps);
    const __m256i zero = _mm256_cvtps_epi32(_mm256_set1_ps(least * factor));
    *less_zero = _mm_cvtsi128_si32(_mm256_castsi256_si128(_mm256_sub_epi32(_mm256_setzero_si256(), zero))) & 0xFFFF;
    __m256i rounded[4];
    for (int i = 0; i < 4; i++) {
        const __m256 scaled = _mm256_mul_ps(values[i], _mm256_set1_ps(factor));
        rounded[i] = _mm256_add_epi32(_mm256_cvtps_epi32(scaled), zero);
    }
    const __m256i words[2] = {_mm256_packs_epi32(rounded[0], rounded[1]), _mm256_packs_epi32(rounded[2], rounded[3])};
    __m256i bytes = _mm256_packus_epi16(words[0], words[1]);
    // The quotient and the zero point may both have been rounded up.
    bytes = _mm256_min_epu8(bytes, _mm256_set1_epi8(static_cast<char>(steps)));
    if (SIGNED) {
        bytes = _mm256_sub_epi8(bytes, _mm256_broadcastb_epi8(_mm256_castsi256_si128(zero)));
    }
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)); // back in order
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(out), bytes);
}

template <bool SIGNED>
void load_bytes(const float * x, int64_t channels, float slope, void * to, float * scales, int32_t * less_zeros) {
    auto * out = static_cast<int8_t *>(to);
    for (int64_t c = 0; c < channels; c += quant_block) {
        load_bytes<SIGNED>(x + c, slope, out + c, scales++, less_zeros++);
    }
}

// Registers: 4 x 2 integer sums, 2 weights, a broadcast value and the temporaries of its product. The float sums are
// kept on the stack.
const Conv1dKernel conv1d_avx2_q8_0_few = {
    "avx2", ComputeType::q8_0, 4, false, conv1d_run<IntegerTile, Bytes, 4, false>, load_bytes<true>};

} // namespace

// Registers: 6 x 2 sums, 2 weights and a broadcast value are 15 of 16.
const Conv1dKernel conv1d_avx2 = {
    "avx2", ComputeType::f32, 6, false, conv1d_run<FloatTile, Vector, 6, false>, nullptr, winograd_transforms<Vector>};

// Registers: 6 x 2 integer sums, 2 weights, a broadcast value and a product are all 16.
const Conv1dKernel conv1d_avx2_i16 = {
    "avx2",     ComputeType::i16,           6, false, conv1d_run<IntegerTile, Words, 6, false>,
    load_words, winograd_transforms<Vector>};

// The same for bytes. The vector of ones, which sums neighbouring products, is read from memory.
const Conv1dKernel conv1d_avx2_q8_0 = {"avx2",
                                       ComputeType::q8_0,
                                       6,
                                       false,
                                       conv1d_run<IntegerTile, UnsignedBytes, 6, false>,
                                       load_bytes<false>,
                                       nullptr,
                                       0,
                                       true,
                                       sum_weights,
                                       &conv1d_avx2_q8_0_few};

} // namespace moss
