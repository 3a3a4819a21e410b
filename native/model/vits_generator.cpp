#include "vits_generator.h"

#include "../kernels/cpu/spectral_filter.h"

namespace moss {

namespace {

constexpr int pre_kernel = 7;
constexpr int post_kernel = 7;
constexpr float post_slope = 0.01F; // as HiFi-GAN
constexpr float max_log_magnitude = 5.0F;
constexpr int64_t filter_taps = 63; // taps of the synthesis filter of each band

int64_t synthesis_kernel(const DecoderConfig & config) {
    return static_cast<int64_t>(config.istft_n_fft - 1) * config.subbands + filter_taps;
}

/// Frame t of the spectrum is centred on sample stride * t + stride / 2; the samples before the start of the signal are
/// dropped.
PackedConv1d load_synthesis(const DecoderConfig & config, const Weights & weights) {
    const int64_t stride = static_cast<int64_t>(config.istft_hop) * config.subbands;
    const int64_t center = static_cast<int64_t>(config.istft_n_fft / 2) * config.subbands + (filter_taps - 1) / 2;
    return load_conv_transpose1d(weights, "decoder.gen.synthesis", "",
                                 {config.spectrum_channels(), 1, synthesis_kernel(config), stride},
                                 center - stride / 2);
}

UpsamplerShape upsampler(const DecoderConfig & config) {
    UpsamplerShape shape;
    shape.channels = config.upsample_initial;
    shape.rates = config.upsample_rates;
    shape.kernels = config.upsample_kernels;
    shape.resblock_type = config.resblock_type;
    shape.res_kernels = config.resblock_kernels;
    shape.dilations.assign(config.resblock_kernels.size(), config.resblock_dilations);
    return shape;
}

} // namespace

Generator::Generator(const DecoderConfig & config, const Weights & weights, bool reversed_input)
    : config_(config),
      pre_(load_conv1d(weights, "decoder.gen.pre", {config.flow_size, config.upsample_initial, pre_kernel},
                       reversed_inputs(reversed_input))),
      cond_(weights, "decoder.gen.cond", config.gin_channels, config.upsample_initial),
      up_(upsampler(config), weights, "decoder.gen"),
      post_(load_conv1d(weights, "decoder.gen.post",
                        {config.upsample_initial >> config.upsample_rates.size(),
                         static_cast<int64_t>(config.source ? 2 : 1) * config.spectrum_channels(), post_kernel})),
      synthesis_(load_synthesis(config, weights)) {
    if (config.source) {
        const int64_t stride = static_cast<int64_t>(config.istft_hop) * config.subbands;
        analysis_ = load_filter1d(weights, "decoder.gen.analysis",
                                  {1, config.spectrum_channels(), synthesis_kernel(config), stride});
    }
}

Generator::Stream::Stream(const Generator & generator, StreamState & state)
    : pre_(window_of(state, "decoder.gen.pre", generator.pre_)), up_(generator.up_, state),
      post_(window_of(state, "decoder.gen.post", generator.post_)),
      synthesis_(window_of(state, "decoder.gen.synthesis", generator.synthesis_)) {}

ggml_tensor * Generator::push(Graph & g, Stream & stream, ggml_tensor * z, ggml_tensor * speaker,
                              Excitation & excitation, bool last) const {
    ggml_tensor * x = stream.pre_.push(g, z, last);
    if (x != nullptr) {
        Conv1dOptions options;
        options.condition = cond_(g, speaker);
        x = g.stage(conv1d(g, x, pre_, options), "decoder.gen.pre"); // [initial, T]
    }
    x = up_.push(g, stream.up_, x, last);
    x = stream.post_.push(g, x, last);
    if (x != nullptr) {
        x = spectrum(g, conv1d(g, x, post_, leaky_input(post_slope)), excitation);
    }
    x = stream.synthesis_.push(g, x, last);
    return x == nullptr ? nullptr : g.stage(conv1d(g, x, synthesis_), "decoder.wave");
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
