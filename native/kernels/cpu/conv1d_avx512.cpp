#include "conv1d_kernel.h"

#include "conv1d_kernel.inc"
// after it
#include "conv1d_avx512.inc"
#include "conv1d_winograd.inc"

namespace moss {

// 12 x 2 accumulators, 2 weights and a broadcast value: 27 of 32 registers.
const Conv1dKernel conv1d_avx512 = {
    "avx512", ConvType::f32, 12, true, conv1d_run<FloatTile, Vector, 12, true>, nullptr, winograd_transforms<Vector>};

} // namespace moss
