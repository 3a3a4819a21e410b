#include "peak.h"

#include "kernels/cpu/cpu_features.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <numeric>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define MOSS_X86
#elif defined(__aarch64__) || defined(_M_ARM64)
#include <arm_neon.h>
#endif

// Each function is compiled for its own instruction set, whatever the file is compiled for.
#if defined(__GNUC__)
#define TARGET(isa) __attribute__((target(isa), noinline))
#else
#define TARGET(isa)
#endif

namespace moss::bench {

namespace {

constexpr int64_t loops = 2'000'000;
constexpr int chains = 12; // independent sums: enough to hide an instruction's latency, few enough for 16 registers
constexpr int chains_of_pairs = 8; // for products of several instructions, which need more registers
constexpr int rounds = 7;

volatile float sink;       // computations whose results are stored here are not optimised away
volatile float one = 1.0F; // a value unknown to the compiler. It makes sums grow, because denormal floats are slow on some CPUs
alignas(64) float kept[chains * 16];

/// Runs `body` several times and returns the best number of multiply-adds a second. Each iteration of its loop does
/// `width` of them in each of `sums` chains.
template <class Body>
double best(int width, Body body, int sums = chains) {
    double least = 1e30;
    for (int round = 0; round < rounds; round++) {
        const double begin = seconds(1);
        body();
        least = std::min(least, seconds(1) - begin);
        sink = kept[0];
    }
    return static_cast<double>(loops) * sums * width / least;
}

#ifdef MOSS_X86

TARGET("avx2,fma") void f32_avx2() {
    __m256 sums[chains];
    for (int i = 0; i < chains; i++) {
        sums[i] = _mm256_set1_ps(static_cast<float>(i));
    }
    const __m256 a = _mm256_set1_ps(one);
    for (int64_t n = 0; n < loops; n++) {
        for (int i = 0; i < chains; i++) {
            sums[i] = _mm256_fmadd_ps(sums[i], a, a);
        }
    }
    for (int i = 0; i < chains; i++) {
        _mm256_storeu_ps(kept + i * 16, sums[i]);
    }
}

// In assembly, because GCC reorders integer sums and then spills them to the stack.
#if defined(__GNUC__) && !defined(__clang__)
#define IN_ORDER(sum) __asm__("" : "+x"(sum))
#define UNROLL _Pragma("GCC unroll 16")
#else
#define IN_ORDER(sum)
#define UNROLL
#endif

/// Multiplies bytes as ggml and our kernels do: products are summed in pairs, and these in fours.
TARGET("avx2") void int8_avx2() {
    __m256i sums[chains_of_pairs];
    const __m256i ones = _mm256_set1_epi16(1), a = _mm256_set1_epi8(static_cast<char>(one));
    UNROLL for (int i = 0; i < chains_of_pairs; i++) {
        sums[i] = _mm256_set1_epi32(i);
    }
    for (int64_t n = 0; n < loops; n++) {
        UNROLL for (int i = 0; i < chains_of_pairs; i++) {
            sums[i] = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_maddubs_epi16(a, sums[i]), ones));
            IN_ORDER(sums[i]);
        }
    }
    UNROLL for (int i = 0; i < chains_of_pairs; i++) {
        _mm256_storeu_ps(kept + i * 16, _mm256_castsi256_ps(sums[i]));
    }
}

/// Multiplies 16-bit integers; products are summed in pairs.
TARGET("avx2") void int16_avx2() {
    __m256i sums[chains_of_pairs];
    const __m256i a = _mm256_set1_epi16(static_cast<int16_t>(one));
    UNROLL for (int i = 0; i < chains_of_pairs; i++) {
        sums[i] = _mm256_set1_epi32(i);
    }
    for (int64_t n = 0; n < loops; n++) {
        UNROLL for (int i = 0; i < chains_of_pairs; i++) {
            sums[i] = _mm256_add_epi32(a, _mm256_madd_epi16(a, sums[i]));
            IN_ORDER(sums[i]);
        }
    }
    UNROLL for (int i = 0; i < chains_of_pairs; i++) {
        _mm256_storeu_ps(kept + i * 16, _mm256_castsi256_ps(sums[i]));
    }
}

TARGET("avx512f") void f32_avx512() {
    __m512 sums[chains];
    for (int i = 0; i < chains; i++) {
        sums[i] = _mm512_set1_ps(static_cast<float>(i));
    }
    const __m512 a = _mm512_set1_ps(one);
    for (int64_t n = 0; n < loops; n++) {
        for (int i = 0; i < chains; i++) {
            sums[i] = _mm512_fmadd_ps(sums[i], a, a);
        }
    }
    for (int i = 0; i < chains; i++) {
        _mm512_storeu_ps(kept + i * 16, sums[i]);
    }
}

TARGET("avx512f,avx512bf16") void bf16_avx512() {
    __m512 sums[chains];
    for (int i = 0; i < chains; i++) {
        sums[i] = _mm512_set1_ps(static_cast<float>(i));
    }
    const __m512i bits = _mm512_set1_epi32(static_cast<int>(one) * 0x3F803F80);
    const auto a = reinterpret_cast<const __m512bh &>(bits);
    for (int64_t n = 0; n < loops; n++) {
        for (int i = 0; i < chains; i++) {
            sums[i] = _mm512_dpbf16_ps(sums[i], a, a);
        }
    }
    for (int i = 0; i < chains; i++) {
        _mm512_storeu_ps(kept + i * 16, sums[i]);
    }
}

TARGET("avx512f,avx512vnni") void int8_avx512() {
    __m512i sums[chains];
    for (int i = 0; i < chains; i++) {
        sums[i] = _mm512_set1_epi32(i);
    }
    const __m512i a = _mm512_set1_epi8(static_cast<char>(one));
    for (int64_t n = 0; n < loops; n++) {
        for (int i = 0; i < chains; i++) {
            sums[i] = _mm512_dpbusd_epi32(sums[i], a, a);
        }
    }
    for (int i = 0; i < chains; i++) {
        _mm512_storeu_ps(kept + i * 16, _mm512_castsi512_ps(sums[i]));
    }
}

/// Multiplies 16-bit integers; products are summed in pairs.
TARGET("avx512f,avx512vnni") void int16_avx512() {
    __m512i sums[chains];
    for (int i = 0; i < chains; i++) {
        sums[i] = _mm512_set1_epi32(i);
    }
    const __m512i a = _mm512_set1_epi16(static_cast<int16_t>(one));
    for (int64_t n = 0; n < loops; n++) {
        for (int i = 0; i < chains; i++) {
            sums[i] = _mm512_dpwssd_epi32(sums[i], a, a);
        }
    }
    for (int i = 0; i < chains; i++) {
        _mm512_storeu_ps(kept + i * 16, _mm512_castsi512_ps(sums[i]));
    }
}

#elif defined(__aarch64__) || defined(_M_ARM64)

void f32_neon() {
    float32x4_t sums[chains];
    for (int i = 0; i < chains; i++) {
        sums[i] = vdupq_n_f32(static_cast<float>(i));
    }
    const float32x4_t a = vdupq_n_f32(one);
    for (int64_t n = 0; n < loops; n++) {
        for (int i = 0; i < chains; i++) {
            sums[i] = vfmaq_f32(a, sums[i], a);
        }
    }
    for (int i = 0; i < chains; i++) {
        vst1q_f32(kept + i * 16, sums[i]);
    }
}

TARGET("+dotprod") void int8_dotprod() {
    int32x4_t sums[chains];
    for (int i = 0; i < chains; i++) {
        sums[i] = vdupq_n_s32(i);
    }
    const int8x16_t a = vdupq_n_s8(static_cast<int8_t>(one));
    for (int64_t n = 0; n < loops; n++) {
        for (int i = 0; i < chains; i++) {
            sums[i] = vdotq_s32(sums[i], a, a);
        }
    }
    for (int i = 0; i < chains; i++) {
        vst1q_f32(kept + i * 16, vreinterpretq_f32_s32(sums[i]));
    }
}

#endif

} // namespace

double seconds(int threads) {
    if (threads == 1) {
        return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Peak measure_peak() {
    Peak peak;
    const CpuFeatures & cpu = cpu_features();
#ifdef MOSS_X86
    if (cpu.avx2) {
        peak.f32 = best(8, f32_avx2);
        peak.int8 = best(32, int8_avx2, chains_of_pairs);
        peak.int16 = best(16, int16_avx2, chains_of_pairs);
    }
    if (cpu.avx512) {
        peak.f32 = std::max(peak.f32, best(16, f32_avx512));
    }
    if (cpu.avx512_bf16) {
        peak.bf16 = best(32, bf16_avx512);
    }
    if (cpu.avx512_vnni) {
        peak.int8 = std::max(peak.int8, best(64, int8_avx512));
        peak.int16 = std::max(peak.int16, best(32, int16_avx512));
    }
#elif defined(__aarch64__) || defined(_M_ARM64)
    peak.f32 = best(4, f32_neon);
    if (cpu.dotprod) {
        peak.int8 = best(16, int8_dotprod);
    }
#endif
    return peak;
}

double measure_bandwidth(int threads) {
    constexpr size_t count = size_t{1} << 25; // 256 MB a thread
    std::vector<std::vector<uint64_t>> buffers(static_cast<size_t>(threads));
    const auto each = [&](const auto & work) {
        std::vector<std::thread> others;
        for (size_t i = 1; i < buffers.size(); i++) {
            others.emplace_back([&, i] { work(buffers[i]); });
        }
        work(buffers[0]);
        for (std::thread & thread : others) {
            thread.join();
        }
    };
    each([](std::vector<uint64_t> & buffer) { buffer.assign(count, 1); });
    double least = 1e30;
    for (int round = 0; round < rounds; round++) {
        const double begin = seconds(threads);
        each([](const std::vector<uint64_t> & buffer) {
            uint64_t sums[8] = {}; // separate chains, so that the additions do not wait for each other
            for (size_t i = 0; i < count; i += 8) {
                for (size_t j = 0; j < 8; j++) {
                    sums[j] += buffer[i + j];
                }
            }
            sink = static_cast<float>(std::accumulate(sums, sums + 8, uint64_t{0}));
        });
        least = std::min(least, seconds(threads) - begin);
    }
    return static_cast<double>(count) * sizeof(uint64_t) * threads / least;
}

} // namespace moss::bench
