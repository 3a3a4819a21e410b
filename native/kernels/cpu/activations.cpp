#include "activations.h"

#include "vector_ops.h"
#include "work.h"

#include <cstdint>
#include <stdexcept>

namespace moss {

namespace {

void gate_rows(ggml_tensor * dst, int ith, int nth, void * /*userdata*/) {
    const ggml_tensor * x = dst->src[0];
    const VectorOps & ops = vector_ops();
    const int64_t channels = dst->ne[0];
    const int64_t rows = dst->ne[1];
    for (int64_t t = rows * ith / nth; t < rows * (ith + 1) / nth; t++) {
        const auto * a =
            reinterpret_cast<const float *>(static_cast<const char *>(x->data) + t * static_cast<int64_t>(x->nb[1]));
        auto * y = reinterpret_cast<float *>(static_cast<char *>(dst->data) + t * static_cast<int64_t>(dst->nb[1]));
        ops.gate(a, a + channels, y, channels);
    }
}

void gelu_values(ggml_tensor * dst, int ith, int nth, void * /*userdata*/) {
    const int64_t count = ggml_nelements(dst);
    const int64_t first = count * ith / nth;
    vector_ops().gelu(static_cast<const float *>(dst->src[0]->data) + first, static_cast<float *>(dst->data) + first,
                      count * (ith + 1) / nth - first);
}

} // namespace

ggml_tensor * gate(ggml_context * context, ggml_tensor * x) {
    if (x->type != GGML_TYPE_F32 || x->ne[0] % 2 != 0 || x->ne[2] != 1 || x->ne[3] != 1 || x->nb[0] != sizeof(float)) {
        throw std::invalid_argument("gate: expected an F32 matrix with an even number of channels");
    }
    ggml_tensor * y = ggml_custom_4d(context, GGML_TYPE_F32, x->ne[0] / 2, x->ne[1], 1, 1, &x, 1, gate_rows,
                                     GGML_N_TASKS_MAX, nullptr);
    set_work(y, 16.0 * static_cast<double>(ggml_nelements(y)));
    return y;
}

ggml_tensor * gelu(ggml_context * context, ggml_tensor * x) {
    if (x->type != GGML_TYPE_F32 || !ggml_is_contiguous(x)) {
        throw std::invalid_argument("gelu: expected a contiguous F32 tensor");
    }
    ggml_tensor * y = ggml_custom_4d(context, GGML_TYPE_F32, x->ne[0], x->ne[1], x->ne[2], x->ne[3], &x, 1, gelu_values,
                                     GGML_N_TASKS_MAX, nullptr);
    set_work(y, 16.0 * static_cast<double>(ggml_nelements(y)));
    return y;
}

} // namespace moss
