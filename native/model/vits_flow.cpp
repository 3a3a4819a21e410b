#include "vits_flow.h"

namespace moss {

namespace {

std::string layer_name(int index) {
    return "decoder.flow.layers." + std::to_string(index);
}

ConvEdit inputs(bool reversed) {
    ConvEdit edit;
    edit.reverse_inputs = reversed;
    return edit;
}

ConvEdit negated_outputs(bool reversed) {
    ConvEdit edit;
    edit.reverse_outputs = reversed;
    edit.negate = true;
    return edit;
}

} // namespace

Flow::Coupling::Coupling(const DecoderConfig & config, const Weights & weights, const std::string & name,
                         bool is_reversed)
    : reversed(is_reversed),
      pre(load_conv1d(weights, name + ".pre", {config.flow_size / 2, config.wavenet_hidden}, inputs(is_reversed))),
      cond(weights, name + ".wn.cond", config.gin_channels, 2 * config.wavenet_hidden * config.wavenet_layers),
      post(load_conv1d(weights, name + ".post", {config.wavenet_hidden, config.flow_size / 2},
                       negated_outputs(is_reversed))) {
    for (int i = 0; i < config.wavenet_layers; i++) {
        const int64_t hidden = config.wavenet_hidden;
        const std::string index = std::to_string(i);
        inp.push_back(load_conv1d(weights, name + ".wn.inp." + index, {hidden, 2 * hidden, config.wavenet_kernel}));
        rs.push_back(load_conv1d(weights, name + ".wn.rs." + index,
                                 {hidden, i + 1 < config.wavenet_layers ? 2 * hidden : hidden}));
    }
}

Flow::Flow(const DecoderConfig & config, const Weights & weights) : config_(config) {
    for (int i = config.flow_count - 1; i >= 0; i--) {
        layers_.emplace_back(config, weights, layer_name(i), layers_.size() % 2 == 0);
    }
}

Flow::CouplingStream::CouplingStream(const DecoderConfig & config, StreamState & state, const std::string & name)
    : pending(state, name + ".z", config.flow_size,
              static_cast<int64_t>(config.wavenet_layers) * (config.wavenet_kernel / 2)) {
    for (int i = 0; i < config.wavenet_layers; i++) {
        const std::string layer = name + ".wn." + std::to_string(i);
        inp.emplace_back(state, layer, config.wavenet_hidden, (config.wavenet_kernel - 1) / 2,
                         config.wavenet_kernel / 2);
        skips.emplace_back(state, layer + ".skip", config.wavenet_hidden, i == 0 ? 0 : config.wavenet_kernel / 2);
    }
}

Flow::Stream::Stream(const DecoderConfig & config, StreamState & state) {
    for (int i = config.flow_count - 1; i >= 0; i--) {
        layers_.emplace_back(config, state, layer_name(i));
    }
}

ggml_tensor * Flow::push(Graph & g, Stream & stream, ggml_tensor * z, ggml_tensor * speaker, bool last) const {
    for (size_t i = 0; i < layers_.size(); i++) {
        z = couple(g, layers_[i], stream.layers_[i], z, speaker, last);
    }
    return z;
}

ggml_tensor * Flow::couple(Graph & g, const Coupling & layer, CouplingStream & stream, ggml_tensor * z,
                           ggml_tensor * speaker, bool last) const {
    const int64_t half = config_.flow_size / 2;
    const int64_t hidden = config_.wavenet_hidden;
    const int64_t first = layer.reversed ? half : 0;  // channel where the half begins that the mean is computed from
    ggml_tensor * condition = layer.cond(g, speaker); // [2 H L]
    ggml_tensor * x = z == nullptr ? nullptr : conv1d(g, channels_of(g, z, first, half), layer.pre); // [H, T]
    ggml_tensor * skip = nullptr;
    for (size_t i = 0; i < layer.inp.size(); i++) {
        ggml_tensor * window = stream.inp[i].push(g, x, last);
        skip = stream.skips[i].push(g, skip,
                                    i == 0              ? 0
                                    : window == nullptr ? 0
                                                        : stream.inp[i].center(g, window)->ne[1]);
        if (window == nullptr) {
            x = nullptr;
            continue;
        }
        Conv1dOptions options;
        options.condition = ggml_view_1d(g, condition, 2 * hidden,
                                         static_cast<size_t>(2 * hidden * static_cast<int64_t>(i)) * sizeof(float));
        ggml_tensor * y = conv1d(g, window, layer.inp[i], options); // [2 H, T']
        y = ggml_mul(g, ggml_tanh(g, ggml_cont(g, channels_of(g, y, 0, hidden))),
                     ggml_sigmoid(g, ggml_cont(g, channels_of(g, y, hidden, hidden))));
        y = conv1d(g, y, layer.rs[i]);
        if (i + 1 < layer.inp.size()) {
            x = ggml_add(g, stream.inp[i].center(g, window), channels_of(g, y, 0, hidden)); // [H, T']
            y = channels_of(g, y, hidden, hidden);
        }
        skip = skip == nullptr ? y : ggml_add(g, skip, y); // [H, T']
    }
    z = stream.pending.push(g, z, row_count(skip));
    if (skip == nullptr) {
        return nullptr;
    }
    ggml_tensor * kept = channels_of(g, z, first, half);
    Conv1dOptions options;
    options.residual = channels_of(g, z, half - first, half);
    ggml_tensor * moved = conv1d(g, skip, layer.post, options); // the other half less its mean
    return layer.reversed ? ggml_concat(g, moved, kept, 0) : ggml_concat(g, kept, moved, 0); // [Z, T']
}

} // namespace moss
