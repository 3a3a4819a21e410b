#include "kv_kernel.h"

#include <cstring>

namespace moss {
namespace {

#if defined(__ARM_FP16_FORMAT_IEEE)

inline float from_f16(uint16_t bits) { // a conversion that compilers vectorise with NEON
    __fp16 value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

#else

inline float from_f16(uint16_t bits) {
    // The exponent and mantissa at their place in an F32, then the exponent's bias by a multiplication, which also
    // gives subnormal numbers their value. Keys and values are finite.
    const uint32_t magnitude = static_cast<uint32_t>(bits & 0x7FFF) << 13;
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
    float value = 0;
    std::memcpy(&value, &magnitude, sizeof(value));
    value *= 5.192296858534828e33F; // 2^112
    uint32_t result = 0;
    std::memcpy(&result, &value, sizeof(result));
    result |= sign;
    std::memcpy(&value, &result, sizeof(value));
    return value;
}

#endif

struct Lanes {
    static constexpr int64_t width = 8;
    float v[8];

    static Lanes all(float x) {
        return each([&](int) { return x; });
    }
    static Lanes load(const float * from) {
        return each([&](int i) { return from[i]; });
    }
    static Lanes load_f16(const uint16_t * from) {
        return each([&](int i) { return from_f16(from[i]); });
    }
    static Lanes load_i8(const int8_t * from) {
        return each([&](int i) { return static_cast<float>(from[i]); });
    }
    static Lanes multiply_add(const Lanes & a, const Lanes & b, const Lanes & c) {
        return each([&](int i) { return a.v[i] * b.v[i] + c.v[i]; });
    }
    Lanes operator*(const Lanes & other) const {
        return each([&](int i) { return v[i] * other.v[i]; });
    }
    void store(float * to) const { std::memcpy(to, v, sizeof(v)); }

  private:
    template <class F>
    static Lanes each(F && value) {
        Lanes lanes;
        for (int i = 0; i < width; i++) {
            lanes.v[i] = value(i);
        }
        return lanes;
    }
};

} // namespace
} // namespace moss

#include "kv_kernel.inc"

namespace moss {

const KvKernel kv_kernel_portable = {scores, mix};

} // namespace moss
