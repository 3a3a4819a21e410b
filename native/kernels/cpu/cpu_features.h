#pragma once

namespace moss {

/// What this CPU and its operating system can run, asked once.
struct CpuFeatures {
    bool avx2 = false;   ///< with FMA and F16C
    bool avx512 = false; ///< F, BW, DQ, VL
    bool avx512_vnni = false;
    bool avx512_bf16 = false;
    bool dotprod = false; ///< ARM: SDOT
};

const CpuFeatures & cpu_features();

} // namespace moss
