#include "layers.h"

#include <algorithm>
#include <cmath>

namespace moss {

Linear::Linear(const Weights & weights, const std::string & name, int64_t in, int64_t out, bool with_bias)
    : weight(weights.get(name + ".weight", {in, out})),
      bias(with_bias ? weights.get_f32(name + ".bias", {out}) : nullptr) {}

ggml_tensor * Linear::operator()(Graph & g, ggml_tensor * x) const {
    x = ggml_mul_mat(g, weight, x); // [out, T]
    return bias ? ggml_add(g, x, bias) : x;
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

Conv1d::Conv1d(const Weights & weights, const std::string & name, int64_t in_channels, int64_t out_channels,
               int kernel_size, int stride_, int dilation_, int groups_)
    : weight(weights.get(name + ".weight", {in_channels / groups_ * kernel_size, out_channels})),
      bias(weights.get_f32(name + ".bias", {out_channels})), in(in_channels), out(out_channels), kernel(kernel_size),
      stride(stride_), dilation(dilation_), groups(groups_) {}

namespace {

/// Every window that the convolution looks at: x [C, T] -> [C / groups * kernel, frames, groups].
ggml_tensor * windows(Graph & g, const Conv1d & conv, ggml_tensor * x, int64_t frames) {
    const int64_t channels = conv.in / conv.groups;
    // ggml refuses to make a view whose rows overlap, but computes with one: shape and strides are set by hand.
    ggml_tensor * view = ggml_view_1d(g, x, channels, 0); // [C / groups, kernel, frames, groups]
    view->ne[1] = conv.kernel;
    view->ne[2] = frames;
    view->ne[3] = conv.groups;
    view->nb[1] = static_cast<size_t>(conv.dilation) * x->nb[1];
    view->nb[2] = static_cast<size_t>(conv.stride) * x->nb[1];
    view->nb[3] = static_cast<size_t>(channels) * x->nb[0];
    if (conv.dilation == 1 && conv.groups == 1) { // a window is contiguous: copied in one piece
        view->ne[0] *= conv.kernel;
        view->ne[1] = 1;
    }
    return ggml_cont_3d(g, view, channels * conv.kernel, frames, conv.groups);
}

} // namespace

ggml_tensor * Conv1d::operator()(Graph & g, ggml_tensor * x) const {
    const int64_t frames = (x->ne[1] - dilation * (kernel - 1) - 1) / stride + 1;
    if (!ggml_is_contiguous(x)) {
        x = ggml_cont(g, x);
    }
    ggml_tensor * w = ggml_reshape_3d(g, weight, weight->ne[0], out / groups, groups);
    x = ggml_mul_mat(g, w, windows(g, *this, x, frames)); // [Cout / groups, frames, groups]
    if (groups > 1) {
        x = ggml_cont_2d(g, ggml_permute(g, x, 0, 2, 1, 3), out, frames);
    }
    return ggml_add(g, x, bias); // [Cout, frames]
}

ggml_tensor * Conv1d::causal(Graph & g, ggml_tensor * x, ggml_tensor * slot) const {
    if (slot) {
        x = ggml_concat(g, slot, x, 1); // [Cin, left_context + T]
        const size_t last = static_cast<size_t>(x->ne[1] - slot->ne[1]) * x->nb[1];
        g.effect(ggml_cpy(g, ggml_view_2d(g, x, slot->ne[0], slot->ne[1], x->nb[1], last), slot));
    }
    return (*this)(g, x);
}

ggml_tensor * pad_time(Graph & g, ggml_tensor * x, int left, int right) {
    return left || right ? ggml_pad_ext(g, x, 0, 0, left, right, 0, 0, 0, 0) : x;
}

// Scores are [Tk, Tq, H]: many queries go slice by slice.
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

ggml_tensor * transpose_heads(Graph & g, ggml_tensor * v, int64_t heads) {
    const int64_t frames = v->ne[1];
    return ggml_cont_3d(g, ggml_transpose(g, v), frames, v->ne[0] / heads, heads);
}

} // namespace moss
