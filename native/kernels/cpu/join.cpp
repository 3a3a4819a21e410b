#include "join.h"

#include "op_params.h"
#include "vector_ops.h"

#include <algorithm>
#include <cstdint>
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

// Writes the first rows, which are those of the source, and the last ones, which are zeros. Another operation writes
// the rows between them.
void edges(ggml_tensor * dst, int ith, int /*nth*/, void * /*userdata*/) {
    const ggml_tensor * before = dst->src[0]; // or null
    const auto zeros = parameters_of<int64_t>(dst);
    if (ith > 0) { // a few rows are not worth more threads
        return;
    }
    for (int64_t t = 0; before != nullptr && t < before->ne[1]; t++) {
        std::memcpy(static_cast<char *>(dst->data) + t * static_cast<int64_t>(dst->nb[1]), row(before, t),
                    row_size(dst));
    }
    std::memset(static_cast<char *>(dst->data) + (dst->ne[1] - zeros) * static_cast<int64_t>(dst->nb[1]), 0,
                static_cast<size_t>(zeros) * row_size(dst));
}

void row_sums(ggml_tensor * dst, int ith, int nth, void * /*userdata*/) {
    const ggml_tensor * a = dst->src[1];
    const ggml_tensor * b = dst->src[2];
    const auto first = parameters_of<int64_t>(dst);
    const int64_t count = a->ne[1];
    for (int64_t t = count * ith / nth; t < count * (ith + 1) / nth; t++) {
        float * to = static_cast<float *>(dst->data) + (first + t) * dst->ne[0];
        std::memcpy(to, row(a, t), row_size(a));
        vector_ops().add_scaled(to, static_cast<const float *>(row(b, t)), 1.0F, dst->ne[0]);
    }
}

void means(ggml_tensor * dst, int ith, int nth, void * /*userdata*/) {
    constexpr int64_t run = 1024; // values that are summed at a time, which fit the L1 cache
    int sources = 0;
    while (sources < GGML_MAX_SRC && dst->src[sources] != nullptr) {
        sources++;
    }
    const int64_t runs = (ggml_nelements(dst) + run - 1) / run;
    for (int64_t i = runs * ith / nth; i < runs * (ith + 1) / nth; i++) {
        float * to = static_cast<float *>(dst->data) + i * run;
        const int64_t count = std::min(run, ggml_nelements(dst) - i * run);
        std::fill(to, to + count, 0.0F);
        for (int k = 0; k < sources; k++) {
            vector_ops().add_scaled(to, static_cast<const float *>(dst->src[k]->data) + i * run,
                                    1.0F / static_cast<float>(sources), count);
        }
    }
}

} // namespace

ggml_tensor * room_between(ggml_context * context, ggml_tensor * before, int64_t channels, int64_t count,
                           int64_t zeros) {
    if ((before != nullptr && (!matrix(before) || before->ne[0] != channels)) || count < 0 || zeros < 0) {
        throw std::invalid_argument("room_between: expected an F32 matrix with that number of channels");
    }
    const int64_t rows = (before != nullptr ? before->ne[1] : 0) + count + zeros;
    ggml_tensor * y = ggml_custom_4d(context, GGML_TYPE_F32, channels, rows, 1, 1, &before, before != nullptr ? 1 : 0,
                                     edges, GGML_N_TASKS_MAX, nullptr);
    set_parameters(y, zeros);
    return y;
}

ggml_tensor * add_rows(ggml_context * context, ggml_tensor * a, ggml_tensor * b, ggml_tensor * into, int64_t first) {
    if (!matrix(a) || !matrix(b) || !ggml_are_same_shape(a, b) || !matrix(into) || !ggml_is_contiguous(into) ||
        into->ne[0] != a->ne[0] || first < 0 || first + a->ne[1] > into->ne[1]) {
        throw std::invalid_argument("add_rows: F32 matrices of one shape are wanted, and room for their sum");
    }
    ggml_tensor * sources[] = {a, b};
    ggml_tensor * y = ggml_custom_inplace(context, into, sources, 2, row_sums, GGML_N_TASKS_MAX, nullptr);
    set_parameters(y, first);
    return y;
}

ggml_tensor * mean(ggml_context * context, const std::vector<ggml_tensor *> & parts) {
    for (const ggml_tensor * part : parts) {
        if (!matrix(part) || !ggml_is_contiguous(part) || !ggml_are_same_shape(part, parts[0])) {
            throw std::invalid_argument("mean: expected contiguous F32 matrices of equal shape");
        }
    }
    return ggml_custom_4d(context, GGML_TYPE_F32, parts.at(0)->ne[0], parts[0]->ne[1], 1, 1,
                          const_cast<ggml_tensor **>(parts.data()), static_cast<int>(parts.size()), means,
                          GGML_N_TASKS_MAX, nullptr);
}

ggml_tensor * join_rows(ggml_context * context, ggml_tensor * a, ggml_tensor * b, int64_t zeros) {
    if (!matrix(a) || (b != nullptr && (!matrix(b) || b->ne[0] != a->ne[0])) || zeros < 0) {
        throw std::invalid_argument("join_rows: expected F32 matrices with equal numbers of channels");
    }
    ggml_tensor * sources[] = {a, b};
    return ggml_custom_4d(context, GGML_TYPE_F32, a->ne[0], a->ne[1] + (b != nullptr ? b->ne[1] : 0) + zeros, 1, 1,
                          sources, b != nullptr ? 2 : 1, rows, GGML_N_TASKS_MAX, nullptr);
}

ggml_tensor * join_channels(ggml_context * context, ggml_tensor * a, ggml_tensor * b) {
    if (!matrix(a) || !matrix(b) || a->ne[1] != b->ne[1]) {
        throw std::invalid_argument("join_channels: expected F32 matrices with equal numbers of rows");
    }
    ggml_tensor * sources[] = {a, b};
    return ggml_custom_4d(context, GGML_TYPE_F32, a->ne[0] + b->ne[0], a->ne[1], 1, 1, sources, 2, channels,
                          GGML_N_TASKS_MAX, nullptr);
}

} // namespace moss
