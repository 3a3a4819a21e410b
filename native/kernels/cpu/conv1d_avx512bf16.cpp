#include "conv1d_kernel.h"

#include "conv1d_kernel.inc"
// must follow conv1d_kernel.inc
#include "conv1d_avx512.inc"

namespace moss {

namespace {

/// A lane is two BF16 values.
struct Halves : PackedLanes {
    static type dot_bf16(type sum, lanes a, lanes b) {
        return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
    }
    static type dot(lanes a, lanes b, type sum) { MOSS_DOT("vdpbf16ps", dot_bf16, sum, a, b); }
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
    "avx512_bf16", ComputeType::bf16, 12, true, conv1d_run<FloatTile, Halves, 12, true>, load, nullptr, 0, true};

} // namespace moss
