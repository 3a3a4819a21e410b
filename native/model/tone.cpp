#include "tone.h"

#include <algorithm>
#include <cmath>

namespace moss {

namespace {

constexpr size_t frames_a_graph = 256; // long input is computed in pieces, to bound the memory

StreamState & add_contexts(StreamState & slots, const std::vector<Conv1d> & layers, const std::string & name,
                           std::vector<ggml_tensor *> & context) {
    for (size_t i = 0; i < layers.size(); i++) {
        const Shape shape = {layers[i].shape().in_channels, layers[i].left_context()};
        context.push_back(slots.add(name + std::to_string(i) + ".context", GGML_TYPE_F32, shape));
    }
    return slots;
}

void append(std::vector<float> & to, const std::vector<float> & from) {
    to.insert(to.end(), from.begin(), from.end());
}

} // namespace

Tone::Tone(const GgufFile & file, const Weights & weights, int embedding_length)
    : config_(ToneConfig::load(file)), device_(weights.device()) {
    const int lags = static_cast<int>(config_.lags.size());
    conv_.emplace_back(weights, "tone.conv.0", Conv1dShape{lags + 1, config_.hidden, 3});
    conv_.emplace_back(weights, "tone.conv.1", Conv1dShape{config_.hidden, config_.hidden, 3});
    f0_ = Linear(weights, "tone.f0", config_.hidden, lags + 1);
    int in = config_.hidden + 2;
    for (size_t i = 0; i < config_.dilations.size(); i++) {
        tcn_.emplace_back(weights, "tone.tcn." + std::to_string(i),
                          Conv1dShape{in, config_.tcn_channels, config_.kernel_size, 1, config_.dilations[i]});
        in = config_.tcn_channels;
    }
    double state = 0;
    for (const Conv1d & conv : tcn_) {
        state += double(conv.left_context()) * double(conv.shape().in_channels) * sizeof(float);
    }
    Weights::check_state("moss-speech.tone.dilations", state, weights.bytes("tone."));
    logits_ = Linear(weights, "tone.logits", in, config_.classes);
    embd_ = Linear(weights, "tone.embd", in, embedding_length);
    for (const int lag : config_.lags) {
        lag_log_f0_.push_back(static_cast<float>(std::log(16000.0 / lag)));
    }
}

Tone::State::State(const Tone & tone) : nccf_(tone.config_.lags), slots_(tone.device_) {
    add_contexts(slots_, tone.conv_, "tone.conv.", conv_);
    add_contexts(slots_, tone.tcn_, "tone.tcn.", tcn_);
    slots_.allocate();
}

void Tone::State::clear() {
    nccf_.clear();
    mean_total_ = mean_count_ = 0;
    slots_.clear();
}

void Tone::push(Runner & runner, State & state, const float * samples, size_t count, ToneFrames & frames) const {
    const size_t hop = Nccf::hop_length;
    for (size_t left = count / hop; left > 0;) {
        const size_t part = std::min(left, frames_a_graph);
        push_part(runner, state, samples, part, frames);
        samples += part * hop;
        left -= part;
    }
}

void Tone::push_part(Runner & runner, State & state, const float * samples, size_t frames, ToneFrames & out) const {
    const int64_t count = static_cast<int64_t>(frames), lags = static_cast<int64_t>(config_.lags.size());
    Conv1dOptions gelu_after;
    gelu_after.output = {Activation::gelu};
    std::vector<float> correlation, pitch, hidden;
    state.nccf_.push(samples, frames * Nccf::hop_length, correlation);
    {
        Graph g(runner);
        ggml_tensor * x = g.stage(g.input(GGML_TYPE_F32, {lags + 1, count}, correlation.data()), "tone.nccf");
        for (size_t i = 0; i < conv_.size(); i++) {
            x = conv_[i].causal(g, x, state.conv_[i], gelu_after); // [hidden, T]
        }
        g.output(x, hidden);
        g.output(f0_(g, x), pitch); // [lags + 1, T]
        g.run();
    }
    std::vector<float> relative(2 * frames), log_f0(frames), voicing(frames);
    for (size_t t = 0; t < frames; t++) {
        const float * scores = pitch.data() + t * (config_.lags.size() + 1);
        const float top = *std::max_element(scores, scores + lags);
        double sum = 0, mean_log_f0 = 0;
        for (size_t n = 0; n < config_.lags.size(); n++) {
            const double weight = std::exp(double(scores[n]) - top);
            sum += weight;
            mean_log_f0 += weight * lag_log_f0_[n];
        }
        log_f0[t] = static_cast<float>(mean_log_f0 / sum);
        voicing[t] = static_cast<float>(1 / (1 + std::exp(-double(scores[lags]))));
        // The causal mean of ln F0 estimates the speaker's register, with slow exponential decay.
        state.mean_total_ = config_.mean_decay * state.mean_total_ + double(voicing[t]) * log_f0[t];
        state.mean_count_ = config_.mean_decay * state.mean_count_ + voicing[t];
        const double weight = config_.mean_prior_weight;
        const double mean = (state.mean_total_ + weight * config_.mean_prior) / (state.mean_count_ + weight);
        relative[2 * t] = static_cast<float>(4.0 * voicing[t] * (log_f0[t] - mean));
        relative[2 * t + 1] = voicing[t];
    }
    std::vector<float> logits, embedding;
    {
        Graph g(runner);
        g.stage(g.input(GGML_TYPE_F32, {1, count}, log_f0.data()), "tone.log_f0");
        g.stage(g.input(GGML_TYPE_F32, {1, count}, voicing.data()), "tone.voicing");
        ggml_tensor * x = g.input(GGML_TYPE_F32, {config_.hidden, count}, hidden.data());
        x = ggml_concat(g, x, g.input(GGML_TYPE_F32, {2, count}, relative.data()), 0); // [hidden + 2, T]
        for (size_t i = 0; i < tcn_.size(); i++) {
            Conv1dOptions options = gelu_after;
            options.residual = i == 0 ? nullptr : x;
            x = tcn_[i].causal(g, x, state.tcn_[i], options); // [tcn_channels, T]
        }
        g.output(g.stage(logits_(g, x), "tone.logits"), logits);
        g.output(g.stage(embd_(g, x), "tone.embedding"), embedding);
        g.run();
    }
    append(out.log_f0, log_f0);
    append(out.voicing, voicing);
    append(out.logits, logits);
    append(out.embedding, embedding);
}

} // namespace moss
