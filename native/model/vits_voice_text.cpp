#include "vits_voice_text.h"

#include "../kernels/cpu/banded_attention.h"

#include <cmath>

namespace moss {

namespace {

std::string block_name(size_t index) {
    return "voice.text.blk." + std::to_string(index);
}

} // namespace

VoiceText::VoiceText(const VoiceConfig & config, const Weights & weights)
    : config_(config), embd_(weights.get("voice.text.embd.weight", {config.hidden_size, config.vocab_size})),
      proj_(load_conv1d(weights, "voice.text.proj", {config.hidden_size, 2 * static_cast<int64_t>(config.flow_size)})) {
    VitsBlockShape shape;
    shape.hidden = config.hidden_size;
    shape.heads = config.head_count;
    shape.ffn = config.ffn_size;
    shape.ffn_kernel = config.ffn_kernel;
    shape.window = config.window_size;
    shape.norm_epsilon = config.norm_epsilon;
    for (size_t i = 0; i < static_cast<size_t>(config.block_count); i++) {
        blocks_.emplace_back(shape, weights, block_name(i));
    }
}

VoiceText::Output VoiceText::operator()(Graph & g, ggml_tensor * ids) const {
    ggml_tensor * x = ggml_get_rows(g, embd_, ids); // [C, U]
    x = ggml_scale(g, x, std::sqrt(static_cast<float>(config_.hidden_size)));
    for (size_t i = 0; i < blocks_.size(); i++) {
        x = feed_forward(g, blocks_[i], attend(g, blocks_[i], x));
        g.stage(x, block_name(i));
    }
    return {x, g.stage(conv1d(g, x, proj_), "voice.stats")};
}

ggml_tensor * VoiceText::attend(Graph & g, const VitsBlock & block, ggml_tensor * x) const {
    const int64_t units = x->ne[1];
    ggml_tensor * y =
        banded_attention(g, conv1d(g, x, block.q), conv1d(g, x, block.k), conv1d(g, x, block.v), config_.head_count,
                         {units, units, 0}, {block.rel_k, block.rel_v}); // every unit sees all units
    Conv1dOptions options;
    options.residual = x;
    return block.attn_norm(g, conv1d(g, y, block.o, options));
}

ggml_tensor * VoiceText::feed_forward(Graph & g, const VitsBlock & block, ggml_tensor * x) const {
    Conv1dOptions options;
    options.output.kind = config_.ffn_activation == "gelu" ? Activation::gelu : Activation::relu;
    ggml_tensor * y = conv1d_same(g, x, block.ffn_in, options); // [ffn, U]
    options = {};
    options.residual = x;
    return block.ffn_norm(g, conv1d_same(g, y, block.ffn_out, options));
}

} // namespace moss
