#include "vector_ops.h"

#include "vector_ops.inc"

namespace moss {

const VectorOps vector_ops_avx512 = {gate, gelu, tanh, snake, leaky, softmax_weights, dot, add_scaled, add_products};

} // namespace moss
