#include "vits_flow.h"

#include "../kernels/cpu/activations.h"
#include "../kernels/cpu/join.h"

namespace moss {

namespace {

std::string layer_name(const std::string & name, int index) {
    return name + ".layers." + std::to_string(index);
}

ConvEdit negated_outputs(bool reversed) {
    ConvEdit edit;
    edit.reverse_outputs = reversed;
    edit.negate = true;
    return edit;
}

} // namespace

int64_t FlowShape::dilation(int layer) const {
    int64_t value = 1;
    for (int i = 0; i < layer; i++) {
        value *= dilation_rate;
    }
    return value;
}

Flow::Coupling::Coupling(const FlowShape & shape, const Weights & weights, const std::string & name, bool is_reversed)
    : reversed(is_reversed),
      pre(load_conv1d(weights, name + ".pre", {shape.channels / 2, shape.hidden}, reversed_inputs(is_reversed))),
      post(load_conv1d(weights, name + ".post", {shape.hidden, shape.channels / 2}, negated_outputs(is_reversed))) {
    if (shape.speaker > 0) {
        cond = Linear(weights, name + ".wn.cond", shape.speaker, 2 * shape.hidden * shape.layers);
    }
    for (int i = 0; i < shape.layers; i++) {
        const int64_t hidden = shape.hidden;
        const std::string index = std::to_string(i);
        inp.push_back(
            load_conv1d(weights, name + ".wn.inp." + index, {hidden, 2 * hidden, shape.kernel, 1, shape.dilation(i)}));
        rs.push_back(
            load_conv1d(weights, name + ".wn.rs." + index, {hidden, i + 1 < shape.layers ? 2 * hidden : hidden}));
    }
}

Flow::Flow(const FlowShape & shape, const Weights & weights, const std::string & name) : shape_(shape), name_(name) {
    for (int i = shape.count - 1; i >= 0; i--) {
        layers_.emplace_back(shape, weights, layer_name(name, i), layers_.size() % 2 == 0);
    }
}

Flow::CouplingStream::CouplingStream(const FlowShape & shape, StreamState & state, const std::string & name) {
    int64_t lookahead = 0;
    for (int i = 0; i < shape.layers; i++) {
        const std::string layer = name + ".wn." + std::to_string(i);
        inp.emplace_back(state, layer, shape.hidden, shape.left(i), shape.right(i));
        skips.emplace_back(state, layer + ".skip", shape.hidden, i == 0 ? 0 : shape.right(i));
        lookahead += shape.right(i);
    }
    pending = Delay(state, name + ".z", shape.channels, lookahead);
}

Flow::Stream::Stream(const Flow & flow, StreamState & state) {
    for (int i = flow.shape_.count - 1; i >= 0; i--) {
        layers_.emplace_back(flow.shape_, state, layer_name(flow.name_, i));
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
    const int64_t half = shape_.channels / 2;
    const int64_t hidden = shape_.hidden;
    const int64_t first = layer.reversed ? half : 0; // first channel of the half from which the mean is computed
    ggml_tensor * condition = layer.cond ? (*layer.cond)(g, speaker) : nullptr;                      // [2 H L]
    ggml_tensor * x = z == nullptr ? nullptr : conv1d(g, channels_of(g, z, first, half), layer.pre); // [H, T]
    ggml_tensor * skip = nullptr;
    for (size_t i = 0; i < layer.inp.size(); i++) {
        ggml_tensor * window = stream.inp[i].push(g, x, last);
        skip = stream.skips[i].push(g, skip, i == 0 ? 0 : stream.inp[i].center_count(window));
        if (window == nullptr) {
            x = nullptr;
            continue;
        }
        Conv1dOptions options;
        if (condition != nullptr) {
            options.condition = ggml_view_1d(g, condition, 2 * hidden,
                                             static_cast<size_t>(2 * hidden * static_cast<int64_t>(i)) * sizeof(float));
        }
        ggml_tensor * y = conv1d(g, window, layer.inp[i], options); // [2 H, T']
        y = conv1d(g, gate(g, y), layer.rs[i]);
        if (i + 1 < layer.inp.size()) {
            x = ggml_add(g, stream.inp[i].center(g, window), channels_of(g, y, 0, hidden)); // [H, T']
            y = channels_of(g, y, hidden, hidden);
        }
        skip = skip == nullptr ? y : ggml_add(g, skip, y); // [H, T']
    }
    z = stream.pending.push(g, z, frame_count(skip));
    if (skip == nullptr) {
        return nullptr;
    }
    ggml_tensor * kept = channels_of(g, z, first, half);
    Conv1dOptions options;
    options.residual = channels_of(g, z, half - first, half);
    ggml_tensor * moved = conv1d(g, skip, layer.post, options); // the other half, with the predicted mean subtracted
    return layer.reversed ? join_channels(g, moved, kept) : join_channels(g, kept, moved); // [Z, T']
}

} // namespace moss
