#include "conv1d_kernel.h"

#include "conv1d_avx2.inc"

// AVX2 with VNNI's products, for processors that have VNNI without AVX-512.

namespace moss {

namespace {

// In assembly as in conv1d_avx512.inc. Without {vex}, an assembler would encode these instructions for AVX-512.
#ifdef MOSS_ASM
#define MOSS_DOT(instruction, intrinsic, sum, a, b)                                                                    \
    __asm__("%{vex%} " instruction " %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));                                        \
    return sum
#else
#define MOSS_DOT(instruction, intrinsic, sum, a, b) return intrinsic(sum, a, b)
#endif

/// A lane is two signed 16-bit integers.
struct Words : Integers {
    static constexpr int values = 2;
    using scale = float;
    static type load_scales(const scale * p) { return load(p); }
    static sums begin(const int32_t * /*input_sum*/) { return _mm256_setzero_si256(); }
    static sums dot_integers(lanes x, lanes w, sums sum) { MOSS_DOT("vpdpwssd", _mm256_dpwssd_avx_epi32, sum, x, w); }
};

/// A lane is four bytes, as VPDPBUSD takes them: the input is signed, and the weights are unsigned, with 128 for 0.
struct Bytes : Integers {
    static constexpr int values = 4;
    static constexpr int32_t weight_zero = 128;
    using scale = uint16_t;
    static type load_scales(const scale * p) {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)));
    }
    static sums begin(const int32_t * p) { return _mm256_set1_epi32(*p); }
    static sums dot_integers(lanes x, lanes w, sums sum) { MOSS_DOT("vpdpbusd", _mm256_dpbusd_avx_epi32, sum, w, x); }
};

/// Writes a quant block as bytes in -127 .. 127. `sum` becomes -weight_zero times the sum of these bytes.
void load_bytes(const float * x, float slope, int8_t * out, float * scale, int32_t * sum) {
    constexpr float most = 127.0F;
    __m256 values[4];
    load_values(x, slope, values);
    const float largest = largest_of(values);
    *scale = largest * (1.0F / most);
    const __m256 factor = _mm256_set1_ps(largest > 0.0F ? most / largest : 0.0F);
    __m256i rounded[4];
    for (int i = 0; i < 4; i++) {
        rounded[i] = _mm256_cvtps_epi32(_mm256_mul_ps(values[i], factor));
    }
    const __m256i words[2] = {_mm256_packs_epi32(rounded[0], rounded[1]), _mm256_packs_epi32(rounded[2], rounded[3])};
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(words[0], words[1]),
                                                      _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)); // back in order
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(out), bytes);
    __m256i sums = _mm256_madd_epi16(_mm256_add_epi16(words[0], words[1]), _mm256_set1_epi16(-Bytes::weight_zero));
    sums = _mm256_add_epi32(sums, _mm256_permute2x128_si256(sums, sums, 1));
    sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0x4E));
    sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0xB1));
    *sum = _mm256_cvtsi256_si32(sums);
}

void load_bytes(const float * x, int64_t channels, float slope, void * to, float * scales, int32_t * sums) {
    auto * out = static_cast<int8_t *>(to);
    for (int64_t c = 0; c < channels; c += quant_block) {
        load_bytes(x + c, slope, out + c, scales++, sums++);
    }
}

} // namespace

// Registers: 6 x 2 integer sums, 2 weights and a broadcast value are 15 of 16. The float sums are kept on the stack.
const Conv1dKernel conv1d_avxvnni = {
    "avx_vnni", ComputeType::q8_0,  6,   false, conv1d_run<IntegerTile, Bytes, 6, false>, load_bytes,
    nullptr,    Bytes::weight_zero, true};

// The same.
const Conv1dKernel conv1d_avxvnni_i16 = {
    "avx_vnni", ComputeType::i16,           6, false, conv1d_run<IntegerTile, Words, 6, false>,
    load_words, winograd_transforms<Vector>};

} // namespace moss
