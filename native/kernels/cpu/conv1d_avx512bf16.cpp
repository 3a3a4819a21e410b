#include "conv1d_kernel.h"

#include <immintrin.h>

#include "conv1d_kernel.inc"

namespace moss {

namespace {

/// A lane is two BF16 values.
struct Vector {
    static constexpr int width = 16;
    using type = __m512;
    using lane = int32_t;
    using lanes = __m512i;
    static type load(const float * p) { return _mm512_loadu_ps(p); }
    static void store(float * p, type v) { _mm512_storeu_ps(p, v); }
    static type broadcast(const float * p) { return _mm512_set1_ps(*p); }
    static type add(type a, type b) { return _mm512_add_ps(a, b); }
    static type leaky(type v, type slope) {
        const type zero = _mm512_setzero_ps();
        return _mm512_fmadd_ps(slope, _mm512_maskz_min_ps(0xFFFF, v, zero), _mm512_maskz_max_ps(0xFFFF, v, zero));
    }
    static lanes load_lanes(const lane * p) { return _mm512_loadu_si512(p); }
    static lanes broadcast_lane(const lane * p) { return _mm512_set1_epi32(*p); }
    static type dot(lanes a, lanes b, type sum) {
        return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
    }
};

void load(const float * x, int64_t channels, float slope, void * to, float * /*scales*/, int32_t * /*sums*/) {
    const __m512 slopes = _mm512_set1_ps(slope);
    auto * out = static_cast<uint16_t *>(to);
    for (int64_t c = 0; c < channels; c += 16) {
        const int64_t left = channels - c;
        const auto mask = static_cast<__mmask16>(left >= 16 ? 0xFFFF : (1 << left) - 1);
        const __m512 value = Vector::leaky(_mm512_maskz_loadu_ps(mask, x + c), slopes);
        const __m256bh rounded = _mm512_maskz_cvtneps_pbh(mask, value);
        _mm256_mask_storeu_epi16(out + c, mask, reinterpret_cast<__m256i>(rounded));
    }
}

} // namespace

// As in conv1d_avx512.cpp.
const Conv1dKernel conv1d_avx512bf16 = {
    "avx512_bf16", ConvType::bf16, 12, true, conv1d_run<FloatTile, Vector, 12, true>, load};

} // namespace moss
