#include "relative_attention.h"

#include "vector_ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace moss {

namespace {

// Kept in the tensor's op_params behind ggml's own (24 bytes).
struct Parameters {
    int32_t heads;
    int32_t left, right, offset;
};
constexpr size_t parameters_offset = 32;
static_assert(parameters_offset + sizeof(Parameters) <= GGML_MAX_OP_PARAMS, "op_params is too small");

const float * row(const ggml_tensor * t, int64_t index) {
    return reinterpret_cast<const float *>(static_cast<const char *>(t->data) + index * t->nb[1]);
}

void attend(ggml_tensor * dst, int ith, int nth, void * /*userdata*/) {
    Parameters p{};
    std::memcpy(&p, reinterpret_cast<const char *>(dst->op_params) + parameters_offset, sizeof(p));
    const ggml_tensor * q = dst->src[0];
    const ggml_tensor * k = dst->src[1];
    const ggml_tensor * v = dst->src[2];
    const ggml_tensor * relative_k = dst->src[3];
    const ggml_tensor * relative_v = dst->src[4];
    const int64_t dim = q->ne[0] / p.heads;
    const int64_t window = relative_k->ne[1] / 2;
    const float scale = 1.0F / std::sqrt(static_cast<float>(dim));
    const VectorOps & ops = vector_ops();
    thread_local std::vector<float> weights;
    thread_local std::vector<float> keys; // of a head, transposed: [dim][keys], so that a query meets many at once
    const int64_t count = k->ne[1];
    keys.resize(static_cast<size_t>(dim * count));
    int64_t head_of_keys = -1;
    const int64_t items = q->ne[1] * p.heads;
    for (int64_t item = items * ith / nth; item < items * (ith + 1) / nth; item++) {
        const int64_t i = item % q->ne[1];
        const int64_t head = item / q->ne[1] * dim;
        if (head != head_of_keys) {
            head_of_keys = head;
            for (int64_t j = 0; j < count; j++) {
                const float * key = row(k, j) + head;
                for (int64_t d = 0; d < dim; d++) {
                    keys[static_cast<size_t>(d * count + j)] = key[d];
                }
            }
        }
        const int64_t at = i + p.offset;
        const int64_t first = std::max<int64_t>(0, at - p.left);
        const int64_t last = std::min(count - 1, at + p.right);
        const float * query = row(q, i) + head;
        weights.assign(static_cast<size_t>(last - first + 1), 0.0F);
        for (int64_t d = 0; d < dim; d++) {
            ops.add_scaled(weights.data(), keys.data() + d * count + first, query[d], last - first + 1);
        }
        float largest = -INFINITY;
        for (int64_t j = first; j <= last; j++) {
            float & weight = weights[static_cast<size_t>(j - first)];
            if (std::abs(j - at) <= window) {
                weight += ops.dot(query, row(relative_k, j - at + window), dim);
            }
            weight *= scale;
            largest = std::max(largest, weight);
        }
        float sum = 0.0F;
        for (float & weight : weights) {
            weight = std::exp(weight - largest);
            sum += weight;
        }
        float * to = reinterpret_cast<float *>(static_cast<char *>(dst->data) + i * dst->nb[1]) + head;
        std::fill(to, to + dim, 0.0F);
        for (int64_t j = first; j <= last; j++) {
            const float weight = weights[static_cast<size_t>(j - first)] / sum;
            ops.add_scaled(to, row(v, j) + head, weight, dim);
            if (std::abs(j - at) <= window) {
                ops.add_scaled(to, row(relative_v, j - at + window), weight, dim);
            }
        }
    }
}

void require(bool condition, const char * what) {
    if (!condition) {
        throw std::invalid_argument(std::string("relative_attention: ") + what);
    }
}

} // namespace

ggml_tensor * relative_attention(ggml_context * context, ggml_tensor * q, ggml_tensor * k, ggml_tensor * v,
                                 ggml_tensor * relative_k, ggml_tensor * relative_v, int64_t heads, const Band & band) {
    const auto matrix = [](const ggml_tensor * t, int64_t channels) {
        return t->type == GGML_TYPE_F32 && t->ne[0] == channels && t->ne[2] == 1 && t->ne[3] == 1 &&
               t->nb[0] == sizeof(float);
    };
    require(heads > 0 && q->ne[0] % heads == 0, "channels must be divisible by heads");
    const int64_t size = q->ne[0];
    require(matrix(q, size) && matrix(k, size) && matrix(v, size) && k->ne[1] == v->ne[1], "q, k and v do not fit");
    require(matrix(relative_k, size / heads) && matrix(relative_v, size / heads) &&
                relative_k->ne[1] == relative_v->ne[1] && relative_k->ne[1] % 2 == 1,
            "relative positions do not fit");
    require(band.left >= 0 && band.right >= 0 && band.offset >= 0 && band.offset + q->ne[1] <= k->ne[1] &&
                std::max({band.left, band.right, k->ne[1]}) <= INT32_MAX,
            "the band leaves the keys");
    ggml_tensor * sources[] = {q, k, v, relative_k, relative_v};
    ggml_tensor * y =
        ggml_custom_4d(context, GGML_TYPE_F32, size, q->ne[1], 1, 1, sources, 5, attend, GGML_N_TASKS_MAX, nullptr);
    const Parameters parameters = {static_cast<int32_t>(heads), static_cast<int32_t>(band.left),
                                   static_cast<int32_t>(band.right), static_cast<int32_t>(band.offset)};
    std::memcpy(reinterpret_cast<char *>(y->op_params) + parameters_offset, &parameters, sizeof(parameters));
    return y;
}

} // namespace moss
