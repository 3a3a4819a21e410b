#include "gate.h"

#include "work.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace moss {

namespace {

/// e^x for |x| <= 87, to an ulp or two; without branches and calls, so that a loop of it vectorises. x = n ln 2 + r.
inline float fast_exp(float x) {
    constexpr float rounder = 12582912.0F; // 1.5 * 2^23: adding it leaves an integer in the low bits
    const float shifted = x * 1.44269504F + rounder;
    const float n = shifted - rounder;
    const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
    float p = 1.9875691500e-4F; // the minimax polynomial of Cephes' expf
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = p * r * r + r + 1.0F;
    int32_t bits = 0;
    std::memcpy(&bits, &shifted, sizeof(bits));
    bits = static_cast<int32_t>(static_cast<uint32_t>(bits) << 23) + 0x3F800000; // 2^n
    float power = 0;
    std::memcpy(&power, &bits, sizeof(power));
    return p * power;
}

inline float clamped(float x, float limit) {
    x = x < limit ? x : limit; // not a number becomes one
    return x > -limit ? x : -limit;
}

void gate_rows(ggml_tensor * dst, int ith, int nth, void * /*userdata*/) {
    const ggml_tensor * x = dst->src[0];
    const int64_t channels = dst->ne[0];
    const int64_t rows = dst->ne[1];
    for (int64_t t = rows * ith / nth; t < rows * (ith + 1) / nth; t++) {
        const auto * a =
            reinterpret_cast<const float *>(static_cast<const char *>(x->data) + t * static_cast<int64_t>(x->nb[1]));
        const float * b = a + channels;
        auto * y = reinterpret_cast<float *>(static_cast<char *>(dst->data) + t * static_cast<int64_t>(dst->nb[1]));
        for (int64_t c = 0; c < channels; c++) {
            const float u = fast_exp(clamped(2.0F * a[c], 60.0F)); // tanh(a) = (u - 1) / (u + 1)
            const float v = fast_exp(clamped(-b[c], 60.0F));       // sigmoid(b) = 1 / (1 + v)
            y[c] = (u - 1.0F) / ((u + 1.0F) * (1.0F + v));
        }
    }
}

} // namespace

ggml_tensor * gate(ggml_context * context, ggml_tensor * x) {
    if (x->type != GGML_TYPE_F32 || x->ne[0] % 2 != 0 || x->ne[2] != 1 || x->ne[3] != 1 || x->nb[0] != sizeof(float)) {
        throw std::invalid_argument("gate: an F32 matrix of an even number of channels is wanted");
    }
    ggml_tensor * y = ggml_custom_4d(context, GGML_TYPE_F32, x->ne[0] / 2, x->ne[1], 1, 1, &x, 1, gate_rows,
                                     GGML_N_TASKS_MAX, nullptr);
    set_work(y, 16.0 * static_cast<double>(ggml_nelements(y)));
    return y;
}

} // namespace moss
