#include "generator_features.h"

namespace moss {

namespace {

constexpr float epsilon = 1e-5F;
constexpr int64_t pre_kernel = 3;

std::string block_name(size_t index) {
    return "decoder.features.blk." + std::to_string(index);
}

} // namespace

GeneratorFeatures::GeneratorFeatures(const FeatureDecoderConfig & config, const Weights & weights)
    : size_(config.feature_hidden),
      pre_(load_conv1d(weights, "decoder.features.pre", {config.hidden_size + 3, size_, pre_kernel})),
      out_(load_conv1d(weights, "decoder.features.out", {size_, config.feature_size})) {
    for (size_t i = 0; i < config.feature_dilations.size(); i++) {
        Conv1dShape shape{size_, size_, config.feature_kernel};
        shape.dilation = config.feature_dilations[i];
        const std::string name = block_name(i);
        blocks_.push_back({Linear(weights, name + ".cond", config.gin_channels, 2 * size_),
                           load_conv1d(weights, name + ".conv", shape),
                           load_conv1d(weights, name + ".out", {size_, size_})});
    }
}

GeneratorFeatures::Stream::Stream(const GeneratorFeatures & network, StreamState & state)
    : pre(window_of(state, "decoder.features.pre", network.pre_)) {
    for (size_t i = 0; i < network.blocks_.size(); i++) {
        const PackedConv1d & conv = network.blocks_[i].conv;
        windows.push_back(window_of(state, block_name(i) + ".conv", conv));
        inputs.emplace_back(state, block_name(i) + ".input", network.size_, conv.right());
    }
}

ggml_tensor * GeneratorFeatures::push(Graph & g, Stream & stream, ggml_tensor * x, ggml_tensor * speaker,
                                      bool last) const {
    x = stream.pre.push(g, x, last);
    if (x != nullptr) {
        x = conv1d(g, x, pre_); // [C, T]
    }
    for (size_t i = 0; i < blocks_.size(); i++) {
        const Block & block = blocks_[i];
        ggml_tensor * y = nullptr;
        if (x != nullptr) {
            ggml_tensor * condition = block.condition(g, speaker); // [2 C]
            ggml_tensor * gain = ggml_scale_bias(g, channels_of(g, condition, 0, size_), 1.0F, 1.0F);
            y = ggml_mul(g, ggml_norm(g, x, epsilon), gain);
            y = ggml_add(g, y, channels_of(g, condition, size_, size_));
        }
        y = stream.windows[i].push(g, y, last);
        Conv1dOptions options;
        if (y != nullptr) {
            options.output.kind = Activation::gelu;
            y = conv1d(g, y, block.conv, options); // [C, T']
        }
        x = stream.inputs[i].push(g, x, frame_count(y));
        if (y != nullptr) {
            options = {};
            options.residual = x;
            x = g.stage(conv1d(g, y, block.out, options), block_name(i));
        }
    }
    return x == nullptr ? nullptr : g.stage(conv1d(g, x, out_), "decoder.features"); // [F, T']
}

} // namespace moss
