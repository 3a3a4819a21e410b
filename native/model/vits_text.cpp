#include "vits_text.h"

#include "../kernels/cpu/banded_attention.h"

#include <algorithm>
#include <cmath>

namespace moss {

namespace {

std::string block_name(int index) {
    return "decoder.text.blk." + std::to_string(index);
}

} // namespace

UnitEncoder::UnitEncoder(const UnitFramesConfig & config, const Weights & weights)
    : config_(config), embd_(weights.get("decoder.text.embd.weight", {config.hidden_size, config.unit_count})),
      style_(weights, "decoder.text.style", config.style_size, config.hidden_size) {
    VitsBlockShape shape;
    shape.hidden = config.hidden_size;
    shape.heads = config.head_count;
    shape.ffn = config.ffn_size;
    shape.ffn_kernel = config.ffn_kernel;
    shape.window = config.window_size;
    for (int i = 0; i < config.block_count; i++) {
        blocks_.emplace_back(shape, weights, block_name(i));
    }
}

UnitEncoder::BlockStream::BlockStream(const UnitFramesConfig & config, StreamState & state, const std::string & name)
    : keys(state, name + ".k", config.hidden_size, config.mask_left + config.mask_right),
      values(state, name + ".v", config.hidden_size, config.mask_left + config.mask_right),
      queries(state, name + ".attn", config.hidden_size, config.mask_right),
      ffn_in(state, name + ".ffn_in", config.hidden_size, (config.ffn_kernel - 1) / 2, config.ffn_kernel / 2),
      ffn_out(state, name + ".ffn_out", config.ffn_size, (config.ffn_kernel - 1) / 2, config.ffn_kernel / 2),
      residual(state, name + ".residual", config.hidden_size, config.ffn_kernel / 2 * 2) {}

UnitEncoder::Stream::Stream(const UnitFramesConfig & config, StreamState & state) {
    for (int i = 0; i < config.block_count; i++) {
        blocks_.emplace_back(config, state, block_name(i));
    }
}

int UnitEncoder::lookahead() const {
    return config_.block_count * (config_.mask_right + config_.ffn_kernel / 2 * 2);
}

ggml_tensor * UnitEncoder::push(Graph & g, Stream & stream, ggml_tensor * ids, ggml_tensor * style, bool last) const {
    ggml_tensor * x = nullptr;
    if (ids != nullptr) {
        x = ggml_get_rows(g, embd_, ids); // [C, U]
        x = ggml_scale(g, x, std::sqrt(static_cast<float>(config_.hidden_size)));
        x = ggml_add(g, x, style_(g, style));
    }
    for (size_t i = 0; i < blocks_.size(); i++) {
        x = attend(g, blocks_[i], stream.blocks_[i], x, last);
        x = feed_forward(g, blocks_[i], stream.blocks_[i], x, last);
        if (x != nullptr) {
            g.stage(x, block_name(static_cast<int>(i)));
        }
    }
    return x; // [C, U']
}

ggml_tensor * UnitEncoder::attend(Graph & g, const VitsBlock & block, BlockStream & stream, ggml_tensor * x,
                                  bool last) const {
    // The last of the kept keys are those of the pending queries, which had to wait for the keys after them.
    const int64_t waiting = stream.queries.pending() + frame_count(x);
    const int64_t ready = last ? waiting : std::max<int64_t>(0, waiting - config_.mask_right);
    const int64_t first = stream.keys.count() - stream.queries.pending();
    ggml_tensor * k = stream.keys.push(g, x == nullptr ? nullptr : conv1d(g, x, block.k));
    ggml_tensor * v = stream.values.push(g, x == nullptr ? nullptr : conv1d(g, x, block.v));
    x = stream.queries.push(g, x, ready);
    if (x == nullptr) {
        return nullptr;
    }
    ggml_tensor * y = banded_attention(g, conv1d(g, x, block.q), k, v, config_.head_count,
                                       {config_.mask_left, config_.mask_right, first}, {block.rel_k, block.rel_v});
    return block.attn_norm(g, ggml_add(g, x, conv1d(g, y, block.o)));
}

ggml_tensor * UnitEncoder::feed_forward(Graph & g, const VitsBlock & block, BlockStream & stream, ggml_tensor * x,
                                        bool last) {
    Conv1dOptions relu;
    relu.output.kind = Activation::relu;
    ggml_tensor * y = stream.ffn_in.push(g, x, last);
    if (y != nullptr) {
        y = conv1d(g, y, block.ffn_in, relu); // [ffn, U']
    }
    y = stream.ffn_out.push(g, y, last);
    if (y != nullptr) {
        y = conv1d(g, y, block.ffn_out); // [C, U'']
    }
    x = stream.residual.push(g, x, frame_count(y));
    return y == nullptr ? nullptr : block.ffn_norm(g, ggml_add(g, x, y));
}

} // namespace moss
