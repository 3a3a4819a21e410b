#include "kv_kernel.h"

#include <immintrin.h>

namespace moss {
namespace {

struct Lanes {
    static constexpr int64_t width = 16;
    __m512 v;

    static Lanes all(float x) { return {_mm512_set1_ps(x)}; }
    static Lanes load(const float * from) { return {_mm512_loadu_ps(from)}; }
    static Lanes load_f16(const uint16_t * from) {
        return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)))};
    }
    static Lanes load_i8(const int8_t * from) {
        return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from))))};
    }
    static Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    Lanes operator*(Lanes other) const { return {_mm512_mul_ps(v, other.v)}; }
    void store(float * to) const { _mm512_storeu_ps(to, v); }
};

} // namespace
} // namespace moss

#include "kv_kernel.inc"

namespace moss {

const KvKernel kv_kernel_avx512 = {scores, mix};

} // namespace moss
