#include "banded_attention.h"

#include "conv1d_kernel.h"
#include "vector_ops.h"
#include "workspace.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace moss {

namespace {

struct Parameters {
    int32_t heads;
    int32_t left, right, offset;
};

const float * row(const ggml_tensor * t, int64_t index) {
    return reinterpret_cast<const float *>(static_cast<const char *>(t->data) + index * t->nb[1]);
}

constexpr int64_t block_columns = 16;   // matrices are packed in blocks of 16 columns, which conv1d's kernels multiply
constexpr int64_t queries_at_once = 12; // a multiple of max_rows of every kernel

int64_t padded(int64_t columns) {
    return (columns + block_columns - 1) / block_columns * block_columns;
}

/// y [rows <= 12][columns] = a [rows][inner] . b, which is packed: [columns / 16][`stride` >= inner][16].
void multiply(float * y, int64_t y_step, const float * a, int64_t a_step, const float * b, int64_t stride, int64_t rows,
              int64_t inner, int64_t columns) {
    static constexpr float no_bias[2 * block_columns] = {};
    const Conv1dKernel & kernel = conv1d_kernel(ComputeType::f32);
    for (int64_t column = 0; column < columns; column += (kernel.both ? 2 : 1) * block_columns) {
        Conv1dTile tile{};
        tile.row_step = a_step * static_cast<int64_t>(sizeof(float));
        tile.taps = 1;
        tile.lanes = inner;
        tile.weights = b + column * stride;
        tile.weights2 =
            kernel.both && column + block_columns < columns ? b + (column + block_columns) * stride : nullptr;
        tile.biases = no_bias;
        tile.slope = 1.0F;
        tile.y_step = y_step;
        for (int64_t r = 0; r < rows; r += kernel.max_rows) {
            tile.x = a + r * a_step;
            tile.y = y + r * y_step + column;
            kernel.run(tile, std::min(kernel.max_rows, rows - r));
        }
    }
}

/// Packs the keys of a head as columns, [keys / 16][dim][16], and its values as rows, [dim / 16][keys][16], padded with
/// zeros.
void pack(const ggml_tensor * k, const ggml_tensor * v, int64_t head, int64_t dim, Scratch & to) {
    const int64_t count = k->ne[1];
    to.keys.assign(static_cast<size_t>(padded(count) * dim), 0.0F);
    to.values.assign(static_cast<size_t>(padded(dim) * count), 0.0F);
    for (int64_t j = 0; j < count; j++) {
        const float * key = row(k, j) + head;
        const float * value = row(v, j) + head;
        for (int64_t d = 0; d < dim; d++) {
            to.keys[static_cast<size_t>((j / block_columns * dim + d) * block_columns + j % block_columns)] = key[d];
            to.values[static_cast<size_t>((d / block_columns * count + j) * block_columns + d % block_columns)] =
                value[d];
        }
    }
}

void attend(ggml_tensor * dst, int ith, int nth, Scratch & scratch) {
    const auto p = parameters_of<Parameters>(dst);
    const ggml_tensor * q = dst->src[0];
    const ggml_tensor * k = dst->src[1];
    const ggml_tensor * v = dst->src[2];
    const ggml_tensor * relative_k = dst->src[3];
    const ggml_tensor * relative_v = dst->src[4];
    const int64_t dim = q->ne[0] / p.heads;
    const int64_t window = relative_k != nullptr ? relative_k->ne[1] / 2 : -1;
    const float scale = 1.0F / std::sqrt(static_cast<float>(dim));
    const VectorOps & ops = vector_ops();
    std::vector<float> & scores = scratch.scores; // [queries][keys, beginning with `from`]
    std::vector<float> & mixed = scratch.mixed;   // [queries][dim]
    const int64_t count = k->ne[1];
    int64_t packed_head = -1;
    const int64_t groups = (q->ne[1] + queries_at_once - 1) / queries_at_once;
    const int64_t items = groups * p.heads;
    for (int64_t item = items * ith / nth; item < items * (ith + 1) / nth; item++) {
        const int64_t begin = item % groups * queries_at_once;
        const int64_t rows = std::min(queries_at_once, q->ne[1] - begin);
        const int64_t head = item / groups * dim;
        if (head != packed_head) {
            packed_head = head;
            pack(k, v, head, dim, scratch);
        }
        // The keys that at least one of these queries sees, beginning with the first key of a block.
        const int64_t from = std::max<int64_t>(0, begin + p.offset - p.left) / block_columns * block_columns;
        const int64_t seen = std::min(count - 1, begin + rows - 1 + p.offset + p.right) + 1 - from;
        scores.resize(static_cast<size_t>(rows * padded(seen)));
        mixed.resize(static_cast<size_t>(rows * padded(dim)));
        multiply(scores.data(), padded(seen), row(q, begin) + head, static_cast<int64_t>(q->nb[1] / sizeof(float)),
                 scratch.keys.data() + from * dim, dim, rows, dim, seen);
        float shares[queries_at_once]; // the attention weights
        for (int64_t r = 0; r < rows; r++) {
            const int64_t at = begin + r + p.offset;
            const int64_t first = std::max<int64_t>(0, at - p.left) - from;
            const int64_t last = std::min(count - 1, at + p.right) - from;
            float * weights = scores.data() + r * padded(seen);
            for (int64_t j = std::max(first, at - window - from); j <= std::min(last, at + window - from); j++) {
                weights[j] += ops.dot(row(q, begin + r) + head, row(relative_k, j + from - at + window), dim);
            }
            shares[r] = 1.0F / ops.softmax_weights(weights + first, scale, last + 1 - first);
            std::fill(weights, weights + first, 0.0F);
            std::fill(weights + last + 1, weights + seen, 0.0F);
        }
        multiply(mixed.data(), padded(dim), scores.data(), padded(seen), scratch.values.data() + from * block_columns,
                 count, rows, seen, dim);
        for (int64_t r = 0; r < rows; r++) {
            float * to = reinterpret_cast<float *>(static_cast<char *>(dst->data) + (begin + r) * dst->nb[1]) + head;
            const float * summed = mixed.data() + r * padded(dim);
            std::transform(summed, summed + dim, to, [share = shares[r]](float value) { return share * value; });
            const int64_t at = begin + r + p.offset;
            for (int64_t j = std::max(from, at - window); j <= std::min(from + seen - 1, at + window); j++) {
                ops.add_scaled(to, row(relative_v, j - at + window),
                               shares[r] * scores[static_cast<size_t>(r * padded(seen) + j - from)], dim);
            }
        }
    }
}

void attention_op(ggml_tensor * dst, int ith, int nth, void * /*userdata*/) {
    with_scratch(dst, ith, [&](Scratch & scratch) { attend(dst, ith, nth, scratch); });
}

void require(bool condition, const char * what) {
    if (!condition) {
        throw std::invalid_argument(std::string("banded_attention: ") + what);
    }
}

} // namespace

ggml_tensor * banded_attention(ggml_context * context, ggml_tensor * q, ggml_tensor * k, ggml_tensor * v, int64_t heads,
                               const Band & band, const RelativePositions & relative) {
    const auto matrix = [](const ggml_tensor * t, int64_t channels) {
        return t->type == GGML_TYPE_F32 && t->ne[0] == channels && t->ne[2] == 1 && t->ne[3] == 1 &&
               t->nb[0] == sizeof(float);
    };
    require(heads > 0 && q->ne[0] % heads == 0, "channels must be divisible by heads");
    const int64_t size = q->ne[0];
    require(matrix(q, size) && matrix(k, size) && matrix(v, size) && k->ne[1] == v->ne[1], "q, k and v do not fit");
    const auto [relative_k, relative_v] = relative;
    require((relative_k == nullptr && relative_v == nullptr) ||
                (matrix(relative_k, size / heads) && matrix(relative_v, size / heads) &&
                 relative_k->ne[1] == relative_v->ne[1] && relative_k->ne[1] % 2 == 1),
            "relative positions do not fit");
    require(band.left >= 0 && band.right >= 0 && band.offset >= 0 && band.offset + q->ne[1] <= k->ne[1] &&
                std::max({band.left, band.right, k->ne[1]}) <= INT32_MAX,
            "the band leaves the keys");
    ggml_tensor * sources[] = {q, k, v, relative_k, relative_v};
    ggml_tensor * y = ggml_custom_4d(context, GGML_TYPE_F32, size, q->ne[1], 1, 1, sources,
                                     relative_k != nullptr ? 5 : 3, attention_op, GGML_N_TASKS_MAX, nullptr);
    const Parameters parameters = {static_cast<int32_t>(heads), static_cast<int32_t>(band.left),
                                   static_cast<int32_t>(band.right), static_cast<int32_t>(band.offset)};
    set_parameters(y, parameters);
    return y;
}

} // namespace moss
