#include "layers.h"

#include "conv.h"

#include "../kernels/cpu/join.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace moss {

Linear::Linear(const Weights & weights, const std::string & name, int64_t in, int64_t out, bool with_bias)
    : packed(load_linear(weights, name, in, out, with_bias)) {
    if (!packed) {
        weight = weights.get(name + ".weight", {in, out});
        bias = with_bias ? weights.get_f32(name + ".bias", {out}) : nullptr;
    }
}

ggml_tensor * Linear::operator()(Graph & g, ggml_tensor * x, Activation::Kind activation) const {
    if (packed) {
        return linear(g, x, *packed, {activation});
    }
    x = ggml_mul_mat(g, weight, x); // [out, T]
    return activate(g, activation, bias ? ggml_add(g, x, bias) : x);
}

LayerNorm::LayerNorm(const Weights & weights, const std::string & name, int64_t size, float eps)
    : weight(weights.get_f32(name + ".weight", {size})), bias(weights.get_f32(name + ".bias", {size})), epsilon(eps) {}

ggml_tensor * LayerNorm::operator()(Graph & g, ggml_tensor * x) const {
    return ggml_add(g, ggml_mul(g, ggml_norm(g, x, epsilon), weight), bias);
}

RmsNorm::RmsNorm(const Weights & weights, const std::string & name, int64_t size, float eps)
    : weight(weights.get_f32(name + ".weight", {size})), epsilon(eps) {}

ggml_tensor * RmsNorm::operator()(Graph & g, ggml_tensor * x) const {
    return ggml_mul(g, ggml_rms_norm(g, x, epsilon), weight);
}

Conv1d::Conv1d(const Weights & weights, const std::string & name, const Conv1dShape & shape)
    : shape_(shape), packed_(std::make_shared<const PackedConv1d>(load_conv1d(weights, name, shape))) {}

ggml_tensor * Conv1d::operator()(Graph & g, ggml_tensor * x, const Conv1dOptions & options) const {
    return conv1d(g, x, *packed_, options);
}

ggml_tensor * Conv1d::causal(Graph & g, ggml_tensor * x, ggml_tensor * slot, const Conv1dOptions & options) const {
    if (slot) {
        x = join_rows(g, slot, x); // [Cin, left_context + T]
        const size_t last = static_cast<size_t>(x->ne[1] - slot->ne[1]) * x->nb[1];
        g.effect(ggml_cpy(g, ggml_view_2d(g, x, slot->ne[0], slot->ne[1], x->nb[1], last), slot));
    }
    return (*this)(g, x, options);
}

// The scores are [Tk, Tq, H]: more queries than this are computed in slices, to bound that memory.
static constexpr int64_t max_queries = 1024;

ggml_tensor * attention(Graph & g, ggml_tensor * q, ggml_tensor * k, ggml_tensor * v_transposed, ggml_tensor * mask) {
    const int64_t dim = q->ne[0], heads = q->ne[1], queries = q->ne[2];
    if (queries > max_queries) {
        ggml_tensor * y = nullptr;
        for (int64_t i = 0; i < queries; i += max_queries) {
            const int64_t count = std::min(max_queries, queries - i);
            const size_t offset = static_cast<size_t>(i);
            ggml_tensor * part = ggml_view_3d(g, q, dim, heads, count, q->nb[1], q->nb[2], offset * q->nb[2]);
            ggml_tensor * rows =
                mask ? ggml_view_2d(g, mask, mask->ne[0], count, mask->nb[1], offset * mask->nb[1]) : nullptr;
            part = attention(g, part, k, v_transposed, rows);
            y = y ? ggml_concat(g, y, part, 1) : part;
        }
        return y;
    }
    const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
    q = ggml_cont(g, ggml_permute(g, q, 0, 2, 1, 3)); // [D, Tq, H]
    k = ggml_permute(g, k, 0, 2, 1, 3);               // [D, Tk, Hkv]
    ggml_tensor * scores = ggml_mul_mat(g, k, q);     // [Tk, Tq, H]
    scores = ggml_soft_max_ext(g, scores, mask, scale, 0.0f);
    ggml_tensor * y = ggml_mul_mat(g, v_transposed, scores); // [D, Tq, H]
    return ggml_cont_2d(g, ggml_permute(g, y, 0, 2, 1, 3), dim * heads, queries);
}

ggml_tensor * add_heads(Graph & g, const Linear & output, ggml_tensor * y, ggml_tensor * x, int64_t groups,
                        const std::string & name) {
    ggml_tensor * added = output(g, y); // [E, T]
    ggml_tensor * sum = ggml_add(g, x, added);
    if (!g.measures_heads()) {
        return sum;
    }
    const int64_t channels = y->ne[0], positions = y->ne[1], width = channels / groups;
    std::vector<float> others(static_cast<size_t>(channels * groups), 1.0F); // [D * H, G]: 0 for the heads of the group
    for (int64_t group = 0; group < groups; group++) {
        std::fill_n(others.begin() + group * (channels + width), width, 0.0F);
    }
    ggml_tensor * without = ggml_mul(g, ggml_repeat_4d(g, y, channels, positions, groups, 1),
                                     g.input({channels, 1, groups}, std::move(others))); // [D * H, T, G]
    without = output(g, ggml_reshape_2d(g, without, channels, positions * groups));
    without = ggml_reshape_3d(g, without, added->ne[0], positions, groups); // [E, T, G]
    const auto energy = [&](ggml_tensor * t) { return ggml_sum_rows(g, ggml_sqr(g, t)); };
    ggml_tensor * share = ggml_sqrt(g, ggml_div(g, energy(ggml_sub(g, without, added)), energy(sum))); // [1, T, G]
    g.heads(ggml_transpose(g, ggml_reshape_2d(g, share, positions, groups)), name);                    // [G, T]
    return sum;
}

} // namespace moss
