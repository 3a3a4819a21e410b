#include "conv1d_kernel.h"

#include "conv1d_kernel.inc"
// must follow conv1d_kernel.inc
#include "conv1d_avx512.inc"
#include "conv1d_winograd.inc"

namespace moss {

// Registers: 12 x 2 sums, 2 weights and a broadcast value are 27 of 32.
const Conv1dKernel conv1d_avx512 = {
    "avx512", ComputeType::f32,           12, true, conv1d_run<FloatTile, Vector, 12, true>,
    nullptr,  winograd_transforms<Vector>};

} // namespace moss
