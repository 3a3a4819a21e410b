#pragma once

namespace moss {

/// What this CPU and its operating system can run, asked once.
struct CpuFeatures {
    bool avx2 = false; ///< with FMA and F16C
    bool avx_vnni = false;
    bool avx512 = false; ///< F, BW, DQ, VL
    bool avx512_vnni = false;
    bool avx512_bf16 = false; ///< and is fast at it: Intel's multiplies half as many pairs a second as F32
    bool dotprod = false;     ///< ARM: SDOT
};

const CpuFeatures & cpu_features();

} // namespace moss
