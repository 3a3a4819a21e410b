#include "vits_voice_generator.h"

namespace moss {

namespace {

constexpr int pre_kernel = 7;
constexpr int post_kernel = 7;
constexpr float post_slope = 0.01F; // PyTorch's default, which HiFi-GAN uses before its last convolution

UpsamplerShape upsampler(const VoiceConfig & config) {
    UpsamplerShape shape;
    shape.channels = config.upsample_initial;
    shape.rates = config.upsample_rates;
    shape.kernels = config.upsample_kernels;
    shape.resblock_type = config.resblock_type;
    shape.res_kernels = config.resblock_kernels;
    shape.dilations = config.resblock_dilations;
    shape.slope = config.leaky_slope;
    return shape;
}

} // namespace

VoiceGenerator::VoiceGenerator(const VoiceConfig & config, const Weights & weights, bool reversed_input)
    : pre_(load_conv1d(weights, "voice.gen.pre", {config.flow_size, config.upsample_initial, pre_kernel},
                       reversed_inputs(reversed_input))),
      up_(upsampler(config), weights, "voice.gen"),
      post_(load_filter1d(weights, "voice.gen.post.weight", {upsampler(config).out_channels(), 1, post_kernel})) {
    if (config.gin_channels > 0) {
        cond_ = Linear(weights, "voice.gen.cond", config.gin_channels, config.upsample_initial);
    }
}

VoiceGenerator::Stream::Stream(const VoiceGenerator & generator, StreamState & state)
    : pre_(window_of(state, "voice.gen.pre", generator.pre_)), up_(generator.up_, state),
      post_(window_of(state, "voice.gen.post", generator.post_)) {}

ggml_tensor * VoiceGenerator::push(Graph & g, Stream & stream, ggml_tensor * z, ggml_tensor * speaker,
                                   bool last) const {
    ggml_tensor * x = stream.pre_.push(g, z, last);
    if (x != nullptr) {
        Conv1dOptions options;
        options.condition = cond_ ? (*cond_)(g, speaker) : nullptr;
        x = g.stage(conv1d(g, x, pre_, options), "voice.gen.pre"); // [initial, T]
    }
    x = stream.post_.push(g, up_.push(g, stream.up_, x, last), last);
    if (x == nullptr) {
        return nullptr;
    }
    Conv1dOptions options = leaky_input(post_slope);
    options.output.kind = Activation::tanh;
    return g.stage(conv1d(g, x, post_, options), "voice.wave"); // [1, hop T]
}

} // namespace moss
