#include "frontend.h"

#include <algorithm>
#include <cmath>

namespace moss {

namespace {

constexpr int64_t frames_a_graph = 64; // long input is computed in pieces of 1.28 s, to bound the memory
constexpr float norm_epsilon = 1e-5f;
constexpr double normalization_epsilon = 1e-7; // transformers Wav2Vec2FeatureExtractor

} // namespace

Frontend::Frontend(const GgufFile & file, const Weights & weights)
    : config_(FrontendConfig::load(file)), device_(weights.device()) {
    int in = 1;
    for (size_t i = 0; i < config_.channels.size(); i++) {
        const std::string index = std::to_string(i);
        const Conv1dShape shape{in, config_.channels[i], config_.kernel_sizes[i], config_.strides[i]};
        conv_.emplace_back(weights, "frontend.conv." + index, shape);
        in = config_.channels[i];
        if (config_.layer_norm || i == 0) {
            norm_.emplace_back(weights, "frontend.norm." + index, in, norm_epsilon);
        }
    }
    if (!config_.layer_norm) {
        group_conv_ = weights.values("frontend.conv.0.weight", {config_.kernel_sizes[0], config_.channels[0]});
        group_norm_ = weights.values("frontend.norm.0.weight", {config_.channels[0]});
        const std::vector<float> bias = weights.values("frontend.norm.0.bias", {config_.channels[0]});
        group_norm_.insert(group_norm_.end(), bias.begin(), bias.end());
    }
}

Frontend::State::State(const Frontend & frontend) : slots_(frontend.device_) {
    for (size_t i = 0; i < frontend.conv_.size(); i++) {
        const Conv1d & conv = frontend.conv_[i];
        const std::string name = "frontend.conv." + std::to_string(i) + ".context";
        const int context = conv.left_context();
        context_.push_back(context > 0 ? slots_.add(name, GGML_TYPE_F32, {conv.shape().in_channels, context})
                                       : nullptr);
    }
    slots_.allocate();
}

/// `first`, if not null, replaces the first convolution and its norm.
ggml_tensor * Frontend::build(Graph & g, ggml_tensor * x, State * state, const PackedConv1d * first) const {
    for (size_t i = 0; i < conv_.size(); i++) {
        Conv1dOptions options;
        if (!config_.layer_norm) { // no norm between the convolution and its activation
            options.output = {config_.activation};
        }
        if (state) {
            x = conv_[i].causal(g, x, state->context_[i], options); // [C_i, T / stride]
        } else {
            x = first && i == 0 ? conv1d(g, x, *first, options) : conv_[i](g, x, options);
        }
        if (config_.layer_norm) {
            x = activate(g, config_.activation, norm_[i](g, x));
        }
        g.stage(x, "frontend.conv." + std::to_string(i));
    }
    return x;
}

void Frontend::push(Runner & runner, State & state, const float * samples, size_t count,
                    std::vector<float> & features) const {
    if (!config_.streamable()) {
        throw MossError(code::unsupported, "this model's front end needs whole utterances, so it cannot stream");
    }
    const int64_t hop = config_.hop_length();
    for (int64_t frames = static_cast<int64_t>(count) / hop; frames > 0;) {
        const int64_t part = std::min(frames, frames_a_graph);
        std::vector<float> values;
        Graph g(runner);
        ggml_tensor * x = g.input(GGML_TYPE_F32, {1, part * hop}, samples);
        g.output(build(g, x, &state, nullptr), values); // [C, part]
        g.run();
        features.insert(features.end(), values.begin(), values.end());
        samples += part * hop;
        frames -= part;
    }
}

size_t Frontend::receptive_field() const {
    size_t samples = 1;
    for (size_t i = conv_.size(); i-- > 0;) {
        samples =
            (samples - 1) * static_cast<size_t>(config_.strides[i]) + static_cast<size_t>(config_.kernel_sizes[i]);
    }
    return samples;
}

Frontend::Utterance::Utterance(const Frontend & frontend, const float * samples, size_t count)
    : frontend_(frontend), samples_(samples), count_(count) {
    const size_t least = frontend.receptive_field();
    if (count < least) {
        throw MossError(code::audio_length,
                        "an utterance of " + std::to_string(count) + " samples; this model takes " +
                            std::to_string(least) + " and more",
                        {{"samples", static_cast<double>(count)}});
    }
    frames_ = static_cast<int64_t>((count - least) / static_cast<size_t>(frontend.config_.hop_length())) + 1;
    if (frontend.config_.normalize) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < count; i++) {
            sum += samples[i];
        }
        mean_ = sum / static_cast<double>(count);
        for (size_t i = 0; i < count; i++) {
            squares += (samples[i] - mean_) * (samples[i] - mean_);
        }
        scale_ = 1 / std::sqrt(squares / static_cast<double>(count) + normalization_epsilon);
    }
    if (!frontend.config_.layer_norm) {
        fold_group_norm();
    }
}

/// Folds the group norm into the weights of the first convolution. With one channel a group, the norm needs the mean
/// and variance of each channel over the whole utterance. As the convolution is linear, both follow from the mean and
/// the covariance of the samples under its kernel, without computing the convolution.
void Frontend::Utterance::fold_group_norm() {
    const size_t taps = static_cast<size_t>(frontend_.config_.kernel_sizes[0]);
    const size_t stride = static_cast<size_t>(frontend_.config_.strides[0]);
    const size_t channels = static_cast<size_t>(frontend_.config_.channels[0]);
    const size_t places = (count_ - taps) / stride + 1;
    std::vector<double> mean(taps), covariance(taps * taps), window(taps);
    for (size_t t = 0; t < places; t++) {
        for (size_t i = 0; i < taps; i++) {
            mean[i] += (samples_[t * stride + i] - mean_) * scale_ / static_cast<double>(places);
        }
    }
    for (size_t t = 0; t < places; t++) {
        for (size_t i = 0; i < taps; i++) {
            window[i] = (samples_[t * stride + i] - mean_) * scale_ - mean[i];
            for (size_t j = 0; j <= i; j++) {
                covariance[i * taps + j] += window[i] * window[j];
            }
        }
    }
    std::vector<float> weight(channels * taps), bias(channels);
    for (size_t c = 0; c < channels; c++) {
        const float * w = frontend_.group_conv_.data() + c * taps;
        double center = 0, variance = 0;
        for (size_t i = 0; i < taps; i++) {
            center += w[i] * mean[i];
            for (size_t j = 0; j <= i; j++) {
                variance += (i == j ? 1 : 2) * double(w[i]) * w[j] * covariance[i * taps + j];
            }
        }
        variance = std::max(variance / static_cast<double>(places), 0.0);
        const double gain = frontend_.group_norm_[c] / std::sqrt(variance + double(norm_epsilon));
        for (size_t i = 0; i < taps; i++) {
            weight[c * taps + i] = static_cast<float>(w[i] * gain);
        }
        bias[c] = static_cast<float>(frontend_.group_norm_[channels + c] -
                                     center * gain); // the bias of the convolution cancels out
    }
    first_ = std::make_unique<const PackedConv1d>(frontend_.conv_[0].shape(), weight.data(), bias.data());
}

void Frontend::Utterance::read(Runner & runner, int64_t first, int64_t count, std::vector<float> & features) const {
    const int64_t hop = frontend_.config_.hop_length();
    const int64_t field = static_cast<int64_t>(frontend_.receptive_field());
    for (const int64_t end = first + count; first < end; first += frames_a_graph) {
        const int64_t part = std::min(end - first, frames_a_graph);
        // The piece of the last frame includes the samples after it, which are too few for another frame, so that the
        // stages have the same frames as for the whole utterance.
        const float * from = samples_ + first * hop;
        const float * to = first + part == frames_ ? samples_ + count_ : from + (part - 1) * hop + field;
        std::vector<float> piece(static_cast<size_t>(to - from)), values;
        std::transform(from, to, piece.begin(), [&](float x) { return static_cast<float>((x - mean_) * scale_); });
        Graph g(runner);
        ggml_tensor * x = g.input(GGML_TYPE_F32, {1, static_cast<int64_t>(piece.size())}, piece.data());
        g.output(frontend_.build(g, x, nullptr, first_.get()), values); // [C, part]
        g.run();
        features.insert(features.end(), values.begin(), values.end());
    }
}

} // namespace moss
