#include "cpu_features.h"

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#ifdef _MSC_VER
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#define MOSS_X86
#elif defined(__linux__) && defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(_M_ARM64)
#include <windows.h>
#endif

namespace moss {

namespace {

#ifdef MOSS_X86

struct Registers {
    uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
    Registers r;
#ifdef _MSC_VER
    int values[4];
    __cpuidex(values, static_cast<int>(leaf), static_cast<int>(subleaf));
    r = {static_cast<uint32_t>(values[0]), static_cast<uint32_t>(values[1]), static_cast<uint32_t>(values[2]),
         static_cast<uint32_t>(values[3])};
#else
    __cpuid_count(leaf, subleaf, r.a, r.b, r.c, r.d);
#endif
    return r;
}

// Reads which registers the operating system saves.
uint64_t xgetbv() {
#ifdef _MSC_VER
    return _xgetbv(0);
#else
    uint32_t low = 0;
    uint32_t high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (static_cast<uint64_t>(high) << 32) | low;
#endif
}

CpuFeatures detect() {
    CpuFeatures features;
    const auto bit = [](uint32_t value, int index) { return ((value >> index) & 1U) != 0; };
    const Registers zero = cpuid(0, 0);
    if (zero.a < 7) {
        return features;
    }
    const Registers one = cpuid(1, 0);
    const bool osxsave = bit(one.c, 27);
    const uint64_t saved = osxsave ? xgetbv() : 0;
    const bool ymm = (saved & 0x06) == 0x06;
    const bool zmm = (saved & 0xE6) == 0xE6;
    const Registers seven = cpuid(7, 0);
    features.avx2 = ymm && bit(one.c, 12) && bit(one.c, 29) && bit(seven.b, 5);
    features.avx512 =
        features.avx2 && zmm && bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) && bit(seven.b, 31);
    features.avx512_vnni = features.avx512 && bit(seven.c, 11);
    const Registers more = seven.a >= 1 ? cpuid(7, 1) : Registers{};
    features.avx_vnni = features.avx2 && bit(more.a, 4);
    const bool intel = zero.b == 0x756E6547; // "Genu"
    features.avx512_bf16 = !intel && features.avx512 && bit(more.a, 5);
    return features;
}

#else

CpuFeatures detect() {
    CpuFeatures features;
#if defined(__linux__) && defined(__aarch64__)
    features.dotprod = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(_M_ARM64)
    features.dotprod = IsProcessorFeaturePresent(43) != 0; // PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE
#elif defined(__APPLE__)
    features.dotprod = true; // all of Apple's since the M1
#endif
    return features;
}

#endif

} // namespace

const CpuFeatures & cpu_features() {
    static const CpuFeatures features = detect();
    return features;
}

} // namespace moss
