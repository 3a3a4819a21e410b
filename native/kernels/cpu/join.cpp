#include "join.h"

#include <cstring>
#include <stdexcept>

namespace moss {

namespace {

const void * row(const ggml_tensor * t, int64_t index) {
    return static_cast<const char *>(t->data) + index * static_cast<int64_t>(t->nb[1]);
}

size_t row_size(const ggml_tensor * t) {
    return static_cast<size_t>(t->ne[0]) * sizeof(float);
}

bool matrix(const ggml_tensor * t) {
    return t->type == GGML_TYPE_F32 && t->ne[2] == 1 && t->ne[3] == 1 && t->nb[0] == sizeof(float);
}

void rows(ggml_tensor * dst, int ith, int nth, void * /*userdata*/) {
    const ggml_tensor * a = dst->src[0];
    const ggml_tensor * b = dst->src[1]; // or null
    const int64_t count = dst->ne[1];
    for (int64_t t = count * ith / nth; t < count * (ith + 1) / nth; t++) {
        void * to = static_cast<char *>(dst->data) + t * static_cast<int64_t>(dst->nb[1]);
        const int64_t after = t - a->ne[1];
        if (after < 0) {
            std::memcpy(to, row(a, t), row_size(dst));
        } else if (b != nullptr && after < b->ne[1]) {
            std::memcpy(to, row(b, after), row_size(dst));
        } else {
            std::memset(to, 0, row_size(dst));
        }
    }
}

void channels(ggml_tensor * dst, int ith, int nth, void * /*userdata*/) {
    const ggml_tensor * a = dst->src[0];
    const ggml_tensor * b = dst->src[1];
    const int64_t count = dst->ne[1];
    for (int64_t t = count * ith / nth; t < count * (ith + 1) / nth; t++) {
        char * to = static_cast<char *>(dst->data) + t * static_cast<int64_t>(dst->nb[1]);
        std::memcpy(to, row(a, t), row_size(a));
        std::memcpy(to + row_size(a), row(b, t), row_size(b));
    }
}

} // namespace

ggml_tensor * join_rows(ggml_context * context, ggml_tensor * a, ggml_tensor * b, int64_t zeros) {
    if (!matrix(a) || (b != nullptr && (!matrix(b) || b->ne[0] != a->ne[0])) || zeros < 0) {
        throw std::invalid_argument("join_rows: F32 matrices of as many channels are wanted");
    }
    ggml_tensor * sources[] = {a, b};
    return ggml_custom_4d(context, GGML_TYPE_F32, a->ne[0], a->ne[1] + (b != nullptr ? b->ne[1] : 0) + zeros, 1, 1,
                          sources, b != nullptr ? 2 : 1, rows, GGML_N_TASKS_MAX, nullptr);
}

ggml_tensor * join_channels(ggml_context * context, ggml_tensor * a, ggml_tensor * b) {
    if (!matrix(a) || !matrix(b) || a->ne[1] != b->ne[1]) {
        throw std::invalid_argument("join_channels: F32 matrices of as many rows are wanted");
    }
    ggml_tensor * sources[] = {a, b};
    return ggml_custom_4d(context, GGML_TYPE_F32, a->ne[0] + b->ne[0], a->ne[1], 1, 1, sources, 2, channels,
                          GGML_N_TASKS_MAX, nullptr);
}

} // namespace moss
