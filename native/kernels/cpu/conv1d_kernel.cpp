#include "conv1d_kernel.h"

#include "cpu_features.h"

#include <algorithm>
#include <atomic>

namespace moss {

namespace {

std::atomic<const Conv1dKernel *> chosen[4]; // by compute type
std::atomic<bool> winograd_allowed{true};

} // namespace

const Conv1dKernel & conv1d_kernel(ComputeType type) {
    std::atomic<const Conv1dKernel *> & choice = chosen[static_cast<int>(type)];
    if (const Conv1dKernel * kernel = choice.load(std::memory_order_relaxed)) {
        return *kernel;
    }
    const Conv1dKernel * kernels[max_conv1d_kernels];
    const int count = conv1d_kernels(kernels);
    const auto find = [&](ComputeType wanted) {
        return std::find_if(kernels, kernels + count, [&](const Conv1dKernel * k) { return k->type == wanted; });
    };
    const Conv1dKernel ** found = find(type);
    choice.store(found != kernels + count ? *found : *find(ComputeType::f32), std::memory_order_relaxed);
    return *choice.load(std::memory_order_relaxed);
}

void set_conv1d_kernel(const Conv1dKernel * kernel) {
    if (kernel != nullptr) {
        chosen[static_cast<int>(kernel->type)].store(kernel, std::memory_order_relaxed);
        return;
    }
    for (std::atomic<const Conv1dKernel *> & choice : chosen) {
        choice.store(nullptr, std::memory_order_relaxed);
    }
}

void allow_conv1d_winograd(bool allowed) {
    winograd_allowed.store(allowed, std::memory_order_relaxed);
}

bool conv1d_winograd_allowed() {
    return winograd_allowed.load(std::memory_order_relaxed);
}

int conv1d_kernels(const Conv1dKernel * (&kernels)[max_conv1d_kernels]) {
    int count = 0;
    const CpuFeatures & cpu = cpu_features();
    const auto add = [&](bool runs, const Conv1dKernel & kernel) {
        if (runs) {
            kernels[count++] = &kernel;
        }
    };
#if defined(__x86_64__) || defined(_M_X64)
    add(cpu.avx512, conv1d_avx512);
    add(cpu.avx2, conv1d_avx2);
    add(cpu.avx512_vnni, conv1d_avx512vnni);
    add(cpu.avx512_vnni, conv1d_avx512vnni_i16);
#ifdef MOSS_NEWEST_CPUS
    add(cpu.avx512_bf16, conv1d_avx512bf16);
    add(cpu.avx_vnni, conv1d_avxvnni);
    add(cpu.avx_vnni, conv1d_avxvnni_i16);
#endif
    add(cpu.avx2, conv1d_avx2_i16);
    add(cpu.avx2, conv1d_avx2_q8_0);
#elif defined(__aarch64__) || defined(_M_ARM64)
    add(true, conv1d_neon);
    add(cpu.dotprod, conv1d_dotprod);
#endif
    add(true, conv1d_portable);
    return count;
}

} // namespace moss
