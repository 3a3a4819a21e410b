#include "vector_ops.h"

#include "cpu_features.h"

namespace moss {

const VectorOps & vector_ops() {
#if defined(__x86_64__) || defined(_M_X64)
    if (cpu_features().avx512) {
        return vector_ops_avx512;
    }
    if (cpu_features().avx2) {
        return vector_ops_avx2;
    }
#endif
    return vector_ops_portable; // on ARM64, compilers vectorise the portable loops with NEON
}

} // namespace moss
