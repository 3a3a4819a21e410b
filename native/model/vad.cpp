#include "vad.h"

#include <algorithm>

namespace moss {

namespace {

constexpr size_t windows_a_graph = 32; // one second at a time, to bound the memory and to notice a cancellation soon
constexpr int64_t taps = 3;

/// x [C, T, W] -> [3 C, T / stride * W]: the input of each output of a convolution with three taps, with a frame of
/// zeros before and after the T frames of each window.
ggml_tensor * neighbours(Graph & g, ggml_tensor * x, int64_t stride) {
    const int64_t frames = x->ne[1] / stride, windows = x->ne[2];
    x = ggml_pad_ext(g, x, 0, 0, 1, 1, 0, 0, 0, 0); // [C, T + 2, W]
    ggml_tensor * all = nullptr;
    for (size_t tap = 0; tap < taps; tap++) {
        const size_t step = static_cast<size_t>(stride) * x->nb[1];
        ggml_tensor * seen = ggml_view_3d(g, x, x->ne[0], frames, windows, step, x->nb[2], tap * x->nb[1]);
        all = all ? ggml_concat(g, all, seen, 0) : seen;
    }
    return ggml_reshape_2d(g, all, all->ne[0], frames * windows);
}

/// Values first .. first + count of a vector.
ggml_tensor * part(Graph & g, ggml_tensor * x, int64_t first, int64_t count) {
    return ggml_view_1d(g, x, count, static_cast<size_t>(first) * sizeof(float));
}

} // namespace

Vad::Vad(const GgufFile & file, const Weights & weights)
    : config_(VadConfig::load(file)), device_(weights.device()),
      stft_(weights, "vad.stft", config_.fft_length, 2 * config_.bins(), false),
      input_(weights, "vad.input", config_.channels.back(), 4 * config_.hidden),
      recurrent_(weights, "vad.recurrent", config_.hidden, 4 * config_.hidden, false),
      output_(weights, "vad.output", config_.hidden, 1) {
    int in = config_.bins();
    for (size_t i = 0; i < config_.channels.size(); i++) {
        conv_.emplace_back(weights, "vad.conv." + std::to_string(i), taps * in, config_.channels[i]);
        in = config_.channels[i];
    }
}

Vad::State::State(const Vad & vad) : slots_(vad.device_), context_(static_cast<size_t>(vad.config_.context_length)) {
    hidden_ = slots_.add("vad.hidden", GGML_TYPE_F32, {vad.config_.hidden});
    cell_ = slots_.add("vad.cell", GGML_TYPE_F32, {vad.config_.hidden});
    slots_.allocate();
    samples_.assign(context_, 0.0F);
}

void Vad::State::clear() {
    samples_.assign(context_, 0.0F);
    slots_.clear();
}

void Vad::push(Runner & runner, State & state, const float * samples, size_t count,
               std::vector<float> & probabilities) const {
    const auto window = static_cast<size_t>(config_.window_length);
    while (count > 0) {
        const size_t wanted = windows_a_graph * window + state.context_ - state.samples_.size();
        const size_t taken = std::min(count, wanted);
        state.samples_.insert(state.samples_.end(), samples, samples + taken);
        samples += taken;
        count -= taken;
        const size_t windows = (state.samples_.size() - state.context_) / window;
        if (windows > 0) {
            run(runner, state, windows, probabilities);
        }
    }
}

void Vad::finish(Runner & runner, State & state, std::vector<float> & probabilities) const {
    if (state.samples_.size() > state.context_) {
        state.samples_.resize(state.context_ + static_cast<size_t>(config_.window_length), 0.0F);
        run(runner, state, 1, probabilities);
    }
}

/// Computes the first `windows` windows of the samples in the state.
void Vad::run(Runner & runner, State & state, size_t windows, std::vector<float> & probabilities) const {
    // Cuts each window, with its context, into overlapping frames for the spectra. The window is padded at its end by
    // reflection.
    const auto window = static_cast<size_t>(config_.window_length), fft = static_cast<size_t>(config_.fft_length);
    const size_t seen = state.context_ + window, mirrored = fft / 4;
    std::vector<float> padded(seen + mirrored), frames;
    frames.reserve(windows * static_cast<size_t>(config_.frames()) * fft);
    for (size_t w = 0; w < windows; w++) {
        const auto first = state.samples_.begin() + static_cast<std::ptrdiff_t>(w * window);
        std::copy_n(first, seen, padded.begin());
        std::reverse_copy(padded.begin() + static_cast<std::ptrdiff_t>(seen - 1 - mirrored),
                          padded.begin() + static_cast<std::ptrdiff_t>(seen - 1),
                          padded.begin() + static_cast<std::ptrdiff_t>(seen));
        for (int f = 0; f < config_.frames(); f++) {
            const auto begin = padded.begin() + std::ptrdiff_t{f} * config_.hop_length;
            frames.insert(frames.end(), begin, begin + config_.fft_length);
        }
    }
    const int64_t count = static_cast<int64_t>(windows), hidden_size = config_.hidden;
    Graph g(runner);
    ggml_tensor * x = g.input(GGML_TYPE_F32, {config_.fft_length, config_.frames() * count}, frames.data());
    x = g.stage(features(g, x, count), "vad.features"); // [C, W]
    ggml_tensor * gates = input_(g, x);                 // [4 H, W]: input, forget, cell and output gate
    ggml_tensor *hidden = state.hidden_, *cell = state.cell_, *all = nullptr;
    for (int64_t w = 0; w < count; w++) {
        ggml_tensor * of_window = part(g, gates, 4 * hidden_size * w, 4 * hidden_size);
        ggml_tensor * sum = ggml_add(g, recurrent_(g, hidden), of_window); // [4 H]
        const auto gate = [&](int64_t i) { return part(g, sum, i * hidden_size, hidden_size); };
        ggml_tensor * kept = ggml_mul(g, ggml_sigmoid(g, gate(1)), cell);
        cell = ggml_add(g, kept, ggml_mul(g, ggml_sigmoid(g, gate(0)), ggml_tanh(g, gate(2))));
        hidden = ggml_mul(g, ggml_sigmoid(g, gate(3)), ggml_tanh(g, cell));
        all = all ? ggml_concat(g, all, hidden, 1) : hidden; // [H, w + 1]
    }
    g.effect(ggml_cpy(g, hidden, state.hidden_));
    g.effect(ggml_cpy(g, cell, state.cell_));
    x = ggml_relu(g, g.stage(all, "vad.hidden"));
    x = g.stage(ggml_sigmoid(g, output_(g, x)), "vad.probability"); // [1, W]
    std::vector<float> fresh;
    g.output(x, fresh);
    g.run();
    probabilities.insert(probabilities.end(), fresh.begin(), fresh.end());
    state.samples_.erase(state.samples_.begin(),
                         state.samples_.begin() + static_cast<std::ptrdiff_t>(windows * window));
}

/// frames [fft, F * W] -> one vector for each window [C, W].
ggml_tensor * Vad::features(Graph & g, ggml_tensor * frames, int64_t windows) const {
    const int64_t bins = config_.bins();
    ggml_tensor * x = stft_(g, frames); // [2 bins, F W]
    const auto half = [&](int64_t i) {
        return ggml_cont(g,
                         ggml_view_2d(g, x, bins, x->ne[1], x->nb[1], static_cast<size_t>(i * bins) * sizeof(float)));
    };
    x = ggml_sqrt(g, ggml_add(g, ggml_sqr(g, half(0)), ggml_sqr(g, half(1)))); // [bins, F W]
    g.stage(x, "vad.magnitudes");
    for (size_t i = 0; i < conv_.size(); i++) {
        x = ggml_reshape_3d(g, x, x->ne[0], x->ne[1] / windows, windows);
        x = conv_[i](g, neighbours(g, x, config_.strides[i]), Activation::relu); // [C, T / stride * W]
    }
    return x;
}

} // namespace moss
