#include "frontend.h"

#include <algorithm>

namespace moss {

namespace {

constexpr size_t frames_a_graph = 64; // a long push is computed in pieces of 1.28 s: bounded memory

} // namespace

Frontend::Frontend(const GgufFile & file, const Weights & weights) : config_(FrontendConfig::load(file)) {
    int in = 1;
    for (size_t i = 0; i < config_.channels.size(); i++) {
        const std::string index = std::to_string(i);
        conv_.emplace_back(weights, "frontend.conv." + index,
                           Conv1dShape{in, config_.channels[i], config_.kernel_sizes[i], config_.strides[i]});
        in = config_.channels[i];
        if (config_.layer_norm || i == 0) {
            norm_.emplace_back(weights, "frontend.norm." + index, in, 1e-5f);
        }
    }
}

Frontend::State::State(const Frontend & frontend) {
    for (size_t i = 0; i < frontend.conv_.size(); i++) {
        const Conv1d & conv = frontend.conv_[i];
        const std::string name = "frontend.conv." + std::to_string(i) + ".context";
        const int context = conv.left_context();
        context_.push_back(context > 0 ? slots_.add(name, GGML_TYPE_F32, {conv.shape().in_channels, context})
                                       : nullptr);
    }
    slots_.allocate();
}

/// Group norm with one channel a group: over time, so it spans the utterance. [C, T]
static ggml_tensor * norm_over_time(Graph & g, const LayerNorm & norm, ggml_tensor * x) {
    x = ggml_cont(g, ggml_transpose(g, x)); // [T, C]
    x = ggml_norm(g, x, norm.epsilon);
    x = ggml_cont(g, ggml_transpose(g, x)); // [C, T]
    return ggml_add(g, ggml_mul(g, x, norm.weight), norm.bias);
}

ggml_tensor * Frontend::build(Graph & g, ggml_tensor * x, State * state) const {
    for (size_t i = 0; i < conv_.size(); i++) {
        if (state) {
            x = conv_[i].causal(g, x, state->context_[i]); // [C_i, T / stride]
        } else {
            Conv1dOptions padding;
            padding.left = config_.causal ? conv_[i].left_context() : 0;
            x = conv_[i](g, x, padding);
        }
        if (config_.layer_norm) {
            x = norm_[i](g, x);
        } else if (i == 0) {
            x = norm_over_time(g, norm_[0], x);
        }
        x = g.stage(gelu(g, x), "frontend.conv." + std::to_string(i));
    }
    return x;
}

void Frontend::push(Runner & runner, State & state, const float * samples, size_t count,
                    std::vector<float> & features) const {
    if (!config_.streamable()) {
        throw MossError(code::unsupported, "this model's front end looks at whole utterances");
    }
    const size_t hop = static_cast<size_t>(config_.hop_length());
    for (size_t frames = count / hop; frames > 0;) {
        const size_t part = std::min(frames, frames_a_graph);
        std::vector<float> values;
        Graph g(runner);
        ggml_tensor * x = g.input(GGML_TYPE_F32, {1, static_cast<int64_t>(part * hop)}, samples);
        g.output(build(g, x, &state), values); // [C, part]
        g.run();
        features.insert(features.end(), values.begin(), values.end());
        samples += part * hop;
        frames -= part;
    }
}

size_t Frontend::minimum_samples() const {
    size_t samples = 1;
    for (size_t i = conv_.size(); i-- > 0;) {
        const size_t stride = static_cast<size_t>(config_.strides[i]);
        samples = (samples - 1) * stride + (config_.causal ? stride : static_cast<size_t>(config_.kernel_sizes[i]));
    }
    return samples;
}

std::vector<float> Frontend::whole(Runner & runner, const float * samples, size_t count) const {
    if (count < minimum_samples() || count > max_samples) {
        throw MossError(code::audio_length,
                        "an utterance of " + std::to_string(count) + " samples; this model takes " +
                            std::to_string(minimum_samples()) + " … " + std::to_string(max_samples),
                        {{"samples", static_cast<double>(count)}});
    }
    std::vector<float> features;
    Graph g(runner);
    ggml_tensor * x = g.input(GGML_TYPE_F32, {1, static_cast<int64_t>(count)}, samples);
    g.output(build(g, x, nullptr), features); // [C, T]
    g.run();
    return features;
}

} // namespace moss
