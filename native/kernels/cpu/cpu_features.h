#pragma once

namespace moss {

/// The instruction sets that this CPU and its operating system support, queried once.
struct CpuFeatures {
    bool avx2 = false; ///< with FMA and F16C
    bool avx_vnni = false;
    bool avx512 = false; ///< F, BW, DQ, VL
    bool avx512_vnni = false;
    /// Set only where BF16 is fast: Intel's CPUs multiply half as many pairs of BF16 a second as F32 values.
    bool avx512_bf16 = false;
    bool dotprod = false; ///< ARM: SDOT
};

const CpuFeatures & cpu_features();

} // namespace moss
