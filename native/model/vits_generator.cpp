#include "vits_generator.h"

#include "../kernels/cpu/spectral_filter.h"

#include <algorithm>
#include <cmath>

namespace moss {

namespace {

constexpr int pre_kernel = 7;
constexpr int post_kernel = 7;
constexpr float slope = 0.1F;
constexpr float post_slope = 0.01F; // as HiFi-GAN
constexpr float max_log_magnitude = 5.0F;
constexpr int64_t filter_taps = 63; // of a band's synthesis filter

ConvEdit inputs(bool reversed) {
    ConvEdit edit;
    edit.reverse_inputs = reversed;
    return edit;
}

int64_t synthesis_kernel(const DecoderConfig & config) {
    return static_cast<int64_t>(config.istft_n_fft - 1) * config.subbands + filter_taps;
}

/// Frame t of the spectrum is centred on sample stride t + stride / 2; what lies before that is cut.
PackedConv1d load_synthesis(const DecoderConfig & config, const Weights & weights) {
    const int64_t stride = static_cast<int64_t>(config.istft_hop) * config.subbands;
    const int64_t center = static_cast<int64_t>(config.istft_n_fft / 2) * config.subbands + (filter_taps - 1) / 2;
    return load_conv_transpose1d(weights, "decoder.gen.synthesis", "",
                                 {config.spectrum_channels(), 1, synthesis_kernel(config), stride},
                                 center - stride / 2);
}

Window window(StreamState & state, const std::string & name, const PackedConv1d & conv) {
    return {state, name, conv.in_channels(), conv.left(), conv.right()};
}

Conv1dOptions leaky(float negative_slope) {
    Conv1dOptions options;
    options.input = Activation::leaky(negative_slope);
    return options;
}

int64_t lookahead(const std::vector<PackedConv1d> & convs) {
    int64_t sum = 0;
    for (const PackedConv1d & conv : convs) {
        sum += conv.right();
    }
    return sum;
}

} // namespace

Generator::Generator(const DecoderConfig & config, const Weights & weights, bool reversed_input)
    : config_(config),
      pre_(load_conv1d(weights, "decoder.gen.pre", {config.flow_size, config.upsample_initial, pre_kernel},
                       inputs(reversed_input))),
      cond_(weights, "decoder.gen.cond", config.gin_channels, config.upsample_initial),
      post_(load_conv1d(weights, "decoder.gen.post",
                        {config.upsample_initial >> config.upsample_rates.size(),
                         static_cast<int64_t>(config.source ? 2 : 1) * config.spectrum_channels(), post_kernel})),
      synthesis_(load_synthesis(config, weights)) {
    if (config.source) {
        const int64_t stride = static_cast<int64_t>(config.istft_hop) * config.subbands;
        analysis_ = load_filter1d(weights, "decoder.gen.analysis",
                                  {1, config.spectrum_channels(), synthesis_kernel(config), stride});
    }
    int64_t channels = config.upsample_initial;
    for (size_t i = 0; i < config.upsample_rates.size(); i++) {
        const std::string up = "decoder.gen.up." + std::to_string(i);
        const int64_t kernel = config.upsample_kernels[i];
        const int64_t rate = config.upsample_rates[i];
        up_.push_back(load_conv_transpose1d(weights, up + ".weight", up + ".bias",
                                            {channels, channels / 2, kernel, rate}, (kernel - rate) / 2));
        channels /= 2;
        for (const int res_kernel : config.resblock_kernels) {
            const std::string name = "decoder.gen.res." + std::to_string(res_.size());
            ResBlock block;
            for (size_t j = 0; j < config.resblock_dilations.size(); j++) {
                const std::string index = std::to_string(j);
                block.first.push_back(load_conv1d(weights, name + ".conv1." + index,
                                                  {channels, channels, res_kernel, 1, config.resblock_dilations[j]}));
                if (config.resblock_type == 1) {
                    block.second.push_back(
                        load_conv1d(weights, name + ".conv2." + index, {channels, channels, res_kernel}));
                }
            }
            res_.push_back(std::move(block));
        }
    }
}

Generator::Stream::Stream(const Generator & generator, StreamState & state)
    : pre_(window(state, "decoder.gen.pre", generator.pre_)), post_(window(state, "decoder.gen.post", generator.post_)),
      synthesis_(window(state, "decoder.gen.synthesis", generator.synthesis_)) {
    for (size_t i = 0; i < generator.up_.size(); i++) {
        up_.push_back(window(state, "decoder.gen.up." + std::to_string(i), generator.up_[i]));
    }
    const size_t kernels = generator.config_.resblock_kernels.size();
    for (size_t i = 0; i < generator.res_.size(); i++) {
        const ResBlock & block = generator.res_[i];
        const std::string name = "decoder.gen.res." + std::to_string(i);
        const int64_t channels = block.first[0].in_channels();
        ResStream stream;
        for (size_t j = 0; j < block.first.size(); j++) {
            const std::string index = "." + std::to_string(j);
            stream.first.push_back(window(state, name + ".conv1" + index, block.first[j]));
            if (!block.second.empty()) {
                stream.second.push_back(window(state, name + ".conv2" + index, block.second[j]));
                stream.pending.emplace_back(state, name + ".pending" + index, channels,
                                            block.first[j].right() + block.second[j].right());
            }
        }
        int64_t slowest = 0;
        for (size_t k = i / kernels * kernels; k < i / kernels * kernels + kernels; k++) {
            slowest = std::max(slowest, lookahead(generator.res_[k].first) + lookahead(generator.res_[k].second));
        }
        stream.output =
            Delay(state, name + ".output", channels, slowest - lookahead(block.first) - lookahead(block.second));
        res_.push_back(std::move(stream));
    }
}

ggml_tensor * Generator::push(Graph & g, Stream & stream, ggml_tensor * z, ggml_tensor * speaker,
                              Excitation & excitation, bool last) const {
    ggml_tensor * x = stream.pre_.push(g, z, last);
    if (x != nullptr) {
        Conv1dOptions options;
        options.condition = cond_(g, speaker);
        x = g.stage(conv1d(g, x, pre_, options), "decoder.gen.pre"); // [initial, T]
    }
    const size_t kernels = config_.resblock_kernels.size();
    for (size_t i = 0; i < up_.size(); i++) {
        x = stream.up_[i].push(g, x, last);
        if (x != nullptr) {
            x = conv1d(g, x, up_[i], leaky(slope)); // [C / 2, rate T]
        }
        std::vector<ggml_tensor *> branches;
        int64_t ready = INT64_MAX; // rows that all branches have
        for (size_t k = i * kernels; k < (i + 1) * kernels; k++) {
            branches.push_back(residual(g, res_[k], stream.res_[k], x, last));
            ready = std::min(ready, stream.res_[k].output.pending() + row_count(branches.back()));
        }
        x = nullptr;
        for (size_t k = 0; k < kernels; k++) {
            ggml_tensor * y = stream.res_[i * kernels + k].output.push(g, branches[k], ready);
            x = x == nullptr ? y : ggml_add(g, x, y);
        }
        if (x != nullptr) {
            x = g.stage(ggml_scale(g, x, 1.0F / static_cast<float>(kernels)), "decoder.gen.up." + std::to_string(i));
        }
    }
    x = stream.post_.push(g, x, last);
    if (x != nullptr) {
        x = spectrum(g, conv1d(g, x, post_, leaky(post_slope)), excitation);
    }
    x = stream.synthesis_.push(g, x, last);
    return x == nullptr ? nullptr : g.stage(conv1d(g, x, synthesis_), "decoder.wave");
}

ggml_tensor * Generator::residual(Graph & g, const ResBlock & block, ResStream & stream, ggml_tensor * x, bool last) {
    for (size_t i = 0; i < block.first.size(); i++) {
        ggml_tensor * window = stream.first[i].push(g, x, last);
        Conv1dOptions options = leaky(slope);
        if (block.second.empty()) { // x + conv(x)
            if (window != nullptr) {
                options.residual = stream.first[i].center(g, window);
            }
            x = window == nullptr ? nullptr : conv1d(g, window, block.first[i], options);
            continue;
        }
        ggml_tensor * y = window == nullptr ? nullptr : conv1d(g, window, block.first[i], options);
        window = stream.second[i].push(g, y, last);
        const int64_t ready = window == nullptr ? 0 : stream.second[i].center(g, window)->ne[1];
        options.residual = stream.pending[i].push(g, x, ready);
        x = window == nullptr ? nullptr : conv1d(g, window, block.second[i], options);
    }
    return x;
}

int64_t Generator::source_context() const {
    return analysis_ ? analysis_->span() - analysis_->stride() : 0;
}

// Log magnitudes and phases -> real and imaginary parts [bands * 2 * bins, T].
ggml_tensor * Generator::spectrum(Graph & g, ggml_tensor * x, Excitation & excitation) const {
    const SpectrumShape shape = {config_.subbands, config_.istft_bins()};
    ggml_tensor * carriers[2] = {};
    if (analysis_) {
        const Excitation::Inputs inputs = excitation.take(g, x->ne[1]);
        carriers[0] = inputs.noise;
        carriers[1] = g.stage(conv1d(g, inputs.samples, *analysis_), "decoder.gen.source");
    }
    return g.stage(spectral_filter(g, x, carriers, analysis_ ? 2 : 0, shape, max_log_magnitude),
                   "decoder.gen.spectrum");
}

} // namespace moss
