#include "vits_prosody.h"

#include <algorithm>

namespace moss {

namespace {

Window same(StreamState & state, const std::string & name, int64_t channels, int kernel) {
    return {state, name, channels, (kernel - 1) / 2, kernel / 2};
}

/// x + conv(x), for the frames in the middle of the window.
ggml_tensor * residual(Graph & g, const ConvNorm & conv, Window & stream, ggml_tensor * x, bool last) {
    ggml_tensor * window = stream.push(g, x, last);
    return window == nullptr ? nullptr : ggml_add(g, stream.center(g, window), conv(g, window));
}

} // namespace

ConvNorm::ConvNorm(const Weights & weights, const std::string & name, int64_t in, int64_t out, int64_t kernel,
                   float epsilon)
    : conv(load_conv1d(weights, name + ".conv", {in, out, kernel})), norm(weights, name + ".norm", out, epsilon) {}

ggml_tensor * ConvNorm::operator()(Graph & g, ggml_tensor * window) const {
    Conv1dOptions relu;
    relu.output.kind = Activation::relu;
    return norm(g, conv1d(g, window, conv, relu));
}

ggml_tensor * ConvNorm::same(Graph & g, ggml_tensor * x) const {
    Conv1dOptions relu;
    relu.output.kind = Activation::relu;
    return norm(g, conv1d_same(g, x, conv, relu));
}

DurationPredictor::DurationPredictor(const UnitFramesConfig & config, const Weights & weights)
    : first_(weights, "decoder.duration.conv.0", config.hidden_size, config.duration_channels, kernel),
      second_(weights, "decoder.duration.conv.1", config.duration_channels, config.duration_channels, kernel),
      proj_(load_conv1d(weights, "decoder.duration.proj", {config.duration_channels, 1})) {}

DurationPredictor::Stream::Stream(const UnitFramesConfig & config, StreamState & state)
    : first(same(state, "decoder.duration.conv.0", config.hidden_size, kernel)),
      second(same(state, "decoder.duration.conv.1", config.duration_channels, kernel)) {}

ggml_tensor * DurationPredictor::push(Graph & g, Stream & stream, ggml_tensor * x, bool last) const {
    x = stream.first.push(g, x, last);
    if (x != nullptr) {
        x = first_(g, x);
    }
    x = stream.second.push(g, x, last);
    return x == nullptr ? nullptr : g.stage(conv1d(g, second_(g, x), proj_), "decoder.log_durations"); // [1, U']
}

ProsodyTrunk::ProsodyTrunk(const UnitFramesConfig & config, const Weights & weights)
    : log_f0_std_(config.log_f0_std),
      pre_(load_conv1d(weights, "decoder.prosody.pre", {config.hidden_size + 2, config.hidden_size})),
      out_(load_conv1d(weights, "decoder.prosody.out", {config.hidden_size, 3})) {
    for (int i = 0; i < config.prosody_layers; i++) {
        layers_.emplace_back(weights, "decoder.prosody.conv." + std::to_string(i), config.hidden_size,
                             config.hidden_size, config.prosody_kernel);
    }
}

ProsodyTrunk::Stream::Stream(const UnitFramesConfig & config, StreamState & state) {
    for (int i = 0; i < config.prosody_layers; i++) {
        layers.push_back(
            same(state, "decoder.prosody.conv." + std::to_string(i), config.hidden_size, config.prosody_kernel));
    }
}

ProsodyTrunk::Output ProsodyTrunk::push(Graph & g, Stream & stream, ggml_tensor * x, const Emotion & emotion,
                                        PitchShifts & shifts, bool last) const {
    if (x != nullptr) {
        x = conv1d(g, x, pre_); // [C, T]
    }
    for (size_t i = 0; i < layers_.size(); i++) {
        x = residual(g, layers_[i], stream.layers[i], x, last);
    }
    Output output;
    if (x == nullptr) {
        return output;
    }
    output.hidden = g.stage(x, "decoder.trunk");
    ggml_tensor * prosody = g.stage(conv1d(g, x, out_), "decoder.prosody"); // pitch, voicing logit, energy [3, T]
    const auto channel = [&](int64_t index) { return ggml_cont(g, channels_of(g, prosody, index, 1)); }; // [1, T]
    output.pitch = ggml_scale_bias(g, channel(0), emotion.pitch_range, emotion.pitch_shift / log_f0_std_);
    const auto count =
        std::min(static_cast<std::ptrdiff_t>(x->ne[1]), static_cast<std::ptrdiff_t>(shifts.waiting.size()));
    shifts.current.assign(shifts.waiting.begin(), shifts.waiting.begin() + count);
    shifts.waiting.erase(shifts.waiting.begin(), shifts.waiting.begin() + count);
    if (std::any_of(shifts.current.begin(), shifts.current.end(), [](float shift) { return shift != 0.0F; })) {
        output.pitch = ggml_add(g, output.pitch, g.input(GGML_TYPE_F32, {1, x->ne[1]}, shifts.current.data()));
    }
    output.voicing_logit = channel(1);
    output.energy = ggml_scale_bias(g, channel(2), 1.0F, emotion.energy_shift);
    return output;
}

Prosody::Prosody(const DecoderConfig & config, const Weights & weights)
    : trunk_(config, weights),
      stats_(load_conv1d(weights, "decoder.prosody.stats", {config.hidden_size, 2 * config.flow_size})),
      embd_(load_conv1d(weights, "decoder.prosody.embd", {3, config.hidden_size, embd_kernel})),
      stats_conv_(weights, "decoder.prosody.stats_conv", config.hidden_size, config.hidden_size,
                  config.prosody_kernel) {}

Prosody::Stream::Stream(const DecoderConfig & config, StreamState & state)
    : trunk(config, state), embd(same(state, "decoder.prosody.embd", 3, embd_kernel)),
      pending(state, "decoder.prosody.trunk", config.hidden_size, embd_kernel / 2),
      stats(same(state, "decoder.prosody.stats_conv", config.hidden_size, config.prosody_kernel)) {}

Prosody::Output Prosody::push(Graph & g, Stream & stream, ggml_tensor * x, const Emotion & emotion,
                              PitchShifts & shifts, bool last) const {
    const ProsodyTrunk::Output trunk = trunk_.push(g, stream.trunk, x, emotion, shifts, last);
    Output output;
    ggml_tensor * y = nullptr;
    if (trunk.hidden != nullptr) {
        output.pitch = trunk.pitch;
        output.voicing = ggml_sigmoid(g, trunk.voicing_logit);
        y = ggml_mul(g, output.pitch, output.voicing);
        y = ggml_concat(g, ggml_concat(g, y, output.voicing, 0), trunk.energy, 0); // [3, T]
    }
    y = stream.embd.push(g, y, last);
    if (y != nullptr) {
        y = conv1d(g, y, embd_); // [C, T']
    }
    x = stream.pending.push(g, trunk.hidden, frame_count(y));
    x = residual(g, stats_conv_, stream.stats, y == nullptr ? nullptr : ggml_add(g, x, y), last);
    output.stats = x == nullptr ? nullptr : conv1d(g, x, stats_); // [2 Z, T'']
    return output;
}

} // namespace moss
