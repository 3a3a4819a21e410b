#include "istft_generator.h"

#include "../io/error.h"
#include "../kernels/cpu/join.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace moss {

namespace {

constexpr double pi = 3.14159265358979323846;
constexpr int64_t post_kernel = 7;
constexpr float slope = 0.1F;       // of the leaky ReLU before an up-sampling
constexpr float post_slope = 0.01F; // of the last leaky ReLU, which has PyTorch's default slope in HiFi-GAN

/// The periodic Hann window.
double window(int64_t n, int64_t size) {
    return 0.5 - 0.5 * std::cos(2 * pi * static_cast<double>(n) / static_cast<double>(size));
}

/// The sum of the squared windows that overlap at a sample: of the window in which the sample has index `n`, and of the
/// windows before that, in which its index is higher.
double envelope(const IstftConfig & config, int64_t n) {
    double sum = 0;
    for (; n < config.istft_n_fft; n += config.istft_hop) {
        sum += window(n, config.istft_n_fft) * window(n, config.istft_n_fft);
    }
    return sum;
}

/// torch.istft as a transposed convolution of real and imaginary parts [2 bins, T]. As with center=True, the half
/// window before the middle of the first frame is cut off.
PackedConv1d synthesis(const IstftConfig & config) {
    const int64_t size = config.istft_n_fft, bins = config.bins(), channels = config.spectrum_channels();
    std::vector<float> weight(static_cast<size_t>(size * channels));
    for (int64_t n = 0; n < size; n++) {
        const double gain = window(n, size) / envelope(config, n % config.istft_hop) / static_cast<double>(size);
        for (int64_t k = 0; k < bins; k++) {
            const bool real = k == 0 || 2 * k == size; // such a bin has no imaginary part and no mirror image
            const double angle = 2 * pi * static_cast<double>(n * k % size) / static_cast<double>(size);
            float * to = weight.data() + n * channels + k;
            to[0] = static_cast<float>((real ? 1 : 2) * gain * std::cos(angle));
            to[bins] = static_cast<float>(real ? 0.0 : -2 * gain * std::sin(angle));
        }
    }
    return PackedConv1d::transposed({channels, 1, size, config.istft_hop}, size / 2, weight.data(), nullptr);
}

/// The factors for the first samples, which compensate for the missing frames before the first one. With a `shift` of
/// one, the factors for the last samples, counted from the end: the window's middle is its sample size / 2, so the two
/// edges are not quite symmetric.
std::vector<float> edge_gains(const IstftConfig & config, int64_t shift) {
    std::vector<float> gains;
    for (int64_t i = 0; i < config.istft_n_fft / 2 - config.istft_hop; i++) {
        const int64_t n = config.istft_n_fft / 2 + shift + i; // index of the sample in the frame at the edge
        const double whole = envelope(config, n % config.istft_hop);
        gains.push_back(static_cast<float>(whole / (whole - envelope(config, n + config.istft_hop))));
    }
    return gains;
}

SourceMixture load_mixture(const Weights & weights) {
    SourceMixture mixture;
    const std::vector<float> values =
        weights.values("generator.source.weight", {static_cast<int64_t>(source_harmonics)});
    std::copy(values.begin(), values.end(), mixture.weights.begin());
    mixture.bias = weights.values("generator.source.bias", {1}).front();
    return mixture;
}

} // namespace

IstftGenerator::Level::Level(const IstftConfig & config, size_t index, const Weights & weights)
    : name("." + std::to_string(index)), ends(index + 1 == config.levels()),
      up(load_conv_transpose1d(weights, "generator.up" + name + ".weight", "generator.up" + name + ".bias",
                               {index == 0 ? config.feature_size : config.channels[index - 1], config.channels[index],
                                config.upsample_kernels[index], config.upsample_rates[index]},
                               (config.upsample_kernels[index] - config.upsample_rates[index]) / 2)),
      noise_conv(load_conv1d(weights, "generator.noise_conv" + name,
                             {config.spectrum_channels(), config.channels[index],
                              ends ? 1 : 2 * config.frames_above(index), config.frames_above(index)})),
      noise_padding(ends ? 0 : (config.frames_above(index) + 1) / 2),
      noise({config.channels[index], config.noise_kernels[index], config.resblock_dilations,
             static_cast<int64_t>(config.voices.size())},
            weights, "generator.noise_res" + name) {
    const size_t count = config.resblock_kernels.size();
    for (size_t k = 0; k < count; k++) {
        blocks.emplace_back(IstftBlock::Shape{config.channels[index], config.resblock_kernels[k],
                                              config.resblock_dilations, static_cast<int64_t>(config.voices.size())},
                            weights, "generator.res." + std::to_string(index * count + k));
    }
}

int64_t IstftGenerator::Level::noise_frames(const HarmonicSource & source) const {
    const int64_t padding = source.finished() ? 2 * noise_padding : noise_padding;
    return noise_conv.out_frames(source.end() + padding, 0, 0);
}

int64_t IstftGenerator::Level::noise_lag(int64_t source_lag) const {
    return (source_lag + noise_conv.span()) / noise_conv.stride() + 1 + noise.lookahead();
}

int64_t IstftGenerator::Level::slowest() const {
    int64_t most = 0;
    for (const IstftBlock & block : blocks) {
        most = std::max(most, block.lookahead());
    }
    return most;
}

IstftGenerator::IstftGenerator(const GgufFile & file, const Weights & weights)
    : config_(IstftConfig::load(file)), mixture_(load_mixture(weights)),
      post_(
          load_conv1d(weights, "generator.post", {config_.channels.back(), config_.spectrum_channels(), post_kernel})),
      synthesis_(synthesis(config_)), first_gains_(edge_gains(config_, 0)), last_gains_(edge_gains(config_, 1)) {
    for (size_t i = 0; i < config_.levels(); i++) {
        levels_.emplace_back(config_, i, weights);
    }
}

int64_t IstftGenerator::lookahead() const {
    const int64_t source_lag = HarmonicSource::lag(config_);
    int64_t lag = 0; // look-ahead of a level's output, in frames of that level
    for (const Level & level : levels_) {
        lag = std::max((lag + level.up.right()) * level.up.phases(), level.noise_lag(source_lag));
        lag += level.slowest();
    }
    lag += post_.right() + synthesis_.right();
    return (lag * config_.istft_hop + config_.hop_length() - 1) / config_.hop_length();
}

IstftGenerator::LevelStream::LevelStream(const Level & level, StreamState & state, const VoiceMix & mix,
                                         int64_t source_lag)
    : up(window_of(state, "generator.up" + level.name, level.up)),
      waiting(state, "generator.waiting" + level.name, level.up.out_channels(), level.noise_lag(source_lag) + 1),
      noise_input(state, "generator.noise_conv" + level.name, level.up.out_channels(), level.noise.lag(), 0),
      noise(level.noise, state, mix, 0) {
    int64_t before = 0;
    for (const IstftBlock & block : level.blocks) {
        before = std::max(before, block.lag());
        blocks.emplace_back(block, state, mix, level.slowest() - block.lookahead());
    }
    input = StreamBuffer(state, "generator.res" + level.name, level.up.out_channels(), before, 0);
}

IstftGenerator::Stream::Stream(const IstftGenerator & generator, StreamState & state, const VoiceMix & mix)
    : source_(generator.config_, generator.mixture_), post_(window_of(state, "generator.post", generator.post_)),
      synthesis_(window_of(state, "generator.synthesis", generator.synthesis_)) {
    if (mix.size() != generator.config_.voices.size()) {
        throw MossError(code::invalid_argument, "the mixture of voices must have a weight for each voice");
    }
    for (const Level & level : generator.levels_) {
        levels_.emplace_back(level, state, mix, HarmonicSource::lag(generator.config_));
    }
}

/// Frees the frames of the spectrum that no level reads again.
void IstftGenerator::Stream::forget_source(const IstftGenerator & generator) {
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < levels_.size(); i++) {
        const Level & level = generator.levels_[i];
        first = std::min(first, levels_[i].noise_input.end() * level.noise_conv.stride() - level.noise_padding);
    }
    source_.forget(first);
}

ggml_tensor * IstftGenerator::push(Graph & g, Stream & stream, ggml_tensor * features, bool last) const {
    ggml_tensor * x = features;
    for (size_t i = 0; i < levels_.size(); i++) {
        const Level & level = levels_[i];
        LevelStream & piece = stream.levels_[i];
        x = push_up(g, level, piece, x, last); // [C, rate T]
        if (piece.up_end == 0) {               // no frame of this level is known yet
            return nullptr;
        }
        const StreamBuffer & noise = push_noise(g, level, piece, stream.source_, last);
        const int64_t start = piece.input.end();
        const int64_t count = noise.end() - start;
        x = piece.waiting.push(g, x, count);
        const auto add = [&](ggml_tensor * all, int64_t first) {
            return add_rows(g, x, noise.frames(g, start, count), all, first);
        };
        piece.input.push(g, count, add, last);
        if (count > 0) {
            g.stage(piece.input.frames(g, start, count), "generator.up" + level.name);
        }
        x = push_blocks(g, level, piece, last);
    }
    stream.forget_source(*this);
    x = stream.post_.push(g, x, last);
    if (x != nullptr) {
        x = g.stage(conv1d(g, x, post_, leaky_input(post_slope)), "generator.post"); // [2 bins, T]
        ggml_tensor * magnitude = ggml_exp(g, ggml_cont(g, channels_of(g, x, 0, config_.bins())));
        ggml_tensor * phase = ggml_sin(g, ggml_cont(g, channels_of(g, x, config_.bins(), config_.bins())));
        x = join_channels(g, ggml_mul(g, magnitude, ggml_cos(g, phase)), ggml_mul(g, magnitude, ggml_sin(g, phase)));
    }
    x = stream.synthesis_.push(g, x, last);
    return x == nullptr ? nullptr : trimmed(g, stream, conv1d(g, x, synthesis_), last); // [1, n]
}

/// Returns the new frames of a level after up-sampling, before the source is added; null if there are none.
ggml_tensor * IstftGenerator::push_up(Graph & g, const Level & level, LevelStream & stream, ggml_tensor * x,
                                      bool last) const {
    x = stream.up.push(g, x, last);
    if (x == nullptr) {
        return nullptr;
    }
    x = conv1d(g, x, level.up, leaky_input(slope)); // [C, rate T]
    if (level.ends && stream.up_end == 0) { // reflection padding: the added first frame is a copy of the second one
        x = join_rows(g, frames_of(g, x, 1, 1), x);
    }
    stream.up_end += x->ne[1];
    return x;
}

/// Computes the source's contribution to a level, as far as the source is known, but not further ahead than the
/// features need.
const StreamBuffer & IstftGenerator::push_noise(Graph & g, const Level & level, LevelStream & stream,
                                                HarmonicSource & source, bool last) const {
    const int64_t known = level.noise_frames(source);
    if (last && (!source.finished() || known != stream.up_end)) {
        throw MossError(code::internal, "features and F0 must have the same number of frames");
    }
    const int64_t start = stream.noise_input.end();
    const int64_t count =
        std::max<int64_t>(std::min(known, stream.up_end + (last ? 0 : level.noise.lookahead())) - start, 0);
    const int64_t stride = level.noise_conv.stride();
    const auto convolve = [&](ggml_tensor * all, int64_t first) {
        const int64_t frames = (count - 1) * stride + level.noise_conv.span();
        ggml_tensor * x =
            g.input({config_.spectrum_channels(), frames}, source.frames(start * stride - level.noise_padding, frames));
        if (level.ends) { // this level reads each frame exactly once
            g.stage(x, "generator.source");
        }
        Conv1dOptions options;
        options.into = all;
        options.into_first = first;
        return conv1d(g, x, level.noise_conv, options);
    };
    stream.noise_input.push(g, count, convolve, last);
    return level.noise.push(g, stream.noise, stream.noise_input, last);
}

/// Returns the new frames of the mean of a level's residual blocks, as far as all blocks have computed them; null if
/// there are none.
ggml_tensor * IstftGenerator::push_blocks(Graph & g, const Level & level, LevelStream & stream, bool last) const {
    std::vector<const StreamBuffer *> outputs;
    int64_t ready = INT64_MAX;
    for (size_t k = 0; k < level.blocks.size(); k++) {
        outputs.push_back(&level.blocks[k].push(g, stream.blocks[k], stream.input, last));
        ready = std::min(ready, outputs.back()->end());
    }
    const int64_t done = std::exchange(stream.done, ready);
    if (ready == done) {
        return nullptr;
    }
    std::vector<ggml_tensor *> parts;
    for (const StreamBuffer * output : outputs) {
        parts.push_back(output->frames(g, done, ready - done));
    }
    return g.stage(mean(g, parts), "generator.res" + level.name);
}

/// Cuts the hop after the last sample off, and applies the gains at the edges.
ggml_tensor * IstftGenerator::trimmed(Graph & g, Stream & stream, ggml_tensor * wave, bool last) const {
    const int64_t count = wave->ne[1] - (last ? config_.istft_hop : 0);
    const int64_t start = std::exchange(stream.samples_, stream.samples_ + count);
    if (count == 0) {
        return nullptr;
    }
    const auto edge = static_cast<int64_t>(first_gains_.size());
    if (count < wave->ne[1]) {
        wave = frames_of(g, wave, 0, count);
    }
    if (start < edge || last) {
        std::vector<float> gains(static_cast<size_t>(count), 1.0F);
        for (int64_t i = 0; i < count; i++) {
            const int64_t from_end = count - 1 - i;
            gains[static_cast<size_t>(i)] *= start + i < edge ? first_gains_[static_cast<size_t>(start + i)] : 1.0F;
            gains[static_cast<size_t>(i)] *=
                last && from_end < edge ? last_gains_[static_cast<size_t>(from_end)] : 1.0F;
        }
        wave = ggml_mul(g, wave, g.input({1, count}, std::move(gains)));
    }
    return g.stage(wave, "generator.wave");
}

} // namespace moss
