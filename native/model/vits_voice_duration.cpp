#include "vits_voice_duration.h"

#include "../kernels/cpu/spline.h"

#include <cmath>
#include <utility>

namespace moss {

namespace {

constexpr float norm_epsilon = 1e-5F; // of the dilated stacks; the text encoder's may differ
const std::string prefix = "voice.duration";

/// Element `index` of a small F32 tensor [2].
float element(const Weights & weights, const std::string & name, size_t index) {
    float values[2];
    ggml_backend_tensor_get(weights.get_f32(name, {2}), values, 0, sizeof(values));
    return values[index];
}

} // namespace

DilatedStack::DilatedStack(const VoiceConfig & config, const Weights & weights, const std::string & name) {
    const int64_t size = config.duration_channels;
    int64_t dilation = 1;
    for (int i = 0; i < config.duration_layers; i++) {
        const std::string index = "." + std::to_string(i);
        layers_.push_back(
            {load_conv1d(weights, name + ".sep" + index, {size, size, config.duration_kernel, 1, dilation, size}),
             LayerNorm(weights, name + ".sep_norm" + index, size, norm_epsilon),
             load_conv1d(weights, name + ".point" + index, {size, size}),
             LayerNorm(weights, name + ".point_norm" + index, size, norm_epsilon)});
        dilation *= config.duration_kernel;
    }
}

ggml_tensor * DilatedStack::operator()(Graph & g, ggml_tensor * x) const {
    for (const Layer & layer : layers_) {
        ggml_tensor * y = gelu(g, layer.separable_norm(g, conv1d_same(g, x, layer.separable)));
        y = gelu(g, layer.point_norm(g, conv1d(g, y, layer.point)));
        x = ggml_add(g, x, y);
    }
    return x; // [C, U]
}

VoiceDuration::VoiceDuration(const VoiceConfig & config, const Weights & weights) : config_(config) {
    if (config.gin_channels > 0) {
        cond_ = Linear(weights, prefix + ".cond", config.gin_channels,
                       config.stochastic ? config.duration_channels : config.hidden_size);
    }
    if (config.stochastic) {
        stochastic_ = load_stochastic(config, weights);
    } else {
        plain_ = load_plain(config, weights);
    }
}

VoiceDuration::Stochastic VoiceDuration::load_stochastic(const VoiceConfig & config, const Weights & weights) {
    const int64_t size = config.duration_channels;
    Stochastic s{load_conv1d(weights, prefix + ".pre", {config.hidden_size, size}),
                 load_conv1d(weights, prefix + ".proj", {size, size}),
                 DilatedStack(config, weights, prefix + ".stack"),
                 {},
                 // The first of the two channels holds the durations.
                 element(weights, prefix + ".affine.shift", 0),
                 element(weights, prefix + ".affine.scale", 0)};
    for (int i = 0; i < config.duration_flows; i++) {
        const std::string name = prefix + ".flow." + std::to_string(i);
        s.flows.push_back({load_conv1d(weights, name + ".pre", {1, size}),
                           DilatedStack(config, weights, name + ".stack"),
                           load_conv1d(weights, name + ".proj", {size, 3 * config.duration_bins - 1})});
    }
    return s;
}

VoiceDuration::Plain VoiceDuration::load_plain(const VoiceConfig & config, const Weights & weights) {
    const int64_t size = config.duration_channels;
    return {
        ConvNorm(weights, prefix + ".conv.0", config.hidden_size, size, config.duration_kernel, config.norm_epsilon),
        ConvNorm(weights, prefix + ".conv.1", size, size, config.duration_kernel, config.norm_epsilon),
        load_conv1d(weights, prefix + ".proj", {size, 1})};
}

ggml_tensor * VoiceDuration::operator()(Graph & g, ggml_tensor * hidden, ggml_tensor * speaker,
                                        ggml_tensor * noise[2]) const {
    ggml_tensor * condition = cond_ ? (*cond_)(g, speaker) : nullptr;
    ggml_tensor * y = nullptr;
    if (stochastic_) {
        y = sample(g, hidden, condition, noise);
    } else {
        y = condition == nullptr ? hidden : ggml_add(g, hidden, condition);
        y = conv1d(g, plain_->second.same(g, plain_->first.same(g, y)), plain_->proj);
    }
    return g.stage(y, "voice.log_durations"); // [1, U]
}

ggml_tensor * VoiceDuration::sample(Graph & g, ggml_tensor * hidden, ggml_tensor * condition,
                                    ggml_tensor * noise[2]) const {
    Conv1dOptions options;
    options.condition = condition;
    ggml_tensor * text = conv1d(g, hidden, stochastic_->pre, options); // [C, U]
    text = conv1d(g, stochastic_->stack(g, text), stochastic_->proj);
    SplineShape shape;
    shape.bins = config_.duration_bins;
    shape.tail_bound = config_.duration_tail_bound;
    shape.scale = 1.0F / std::sqrt(static_cast<float>(config_.duration_channels));
    ggml_tensor * first = noise[0]; // [1, U]
    ggml_tensor * second = noise[1];
    for (const ConvFlow & flow : stochastic_->flows) {
        std::swap(first, second);
        options = {};
        options.residual = text;
        ggml_tensor * x = flow.stack(g, conv1d(g, first, flow.pre, options)); // [C, U]
        second = inverse_spline(g, second, conv1d(g, x, flow.proj), shape);   // [1, U]
    }
    const float scale = stochastic_->scale;
    return ggml_scale_bias(g, second, scale, -stochastic_->shift * scale);
}

} // namespace moss
