#include "vits_voice_config.h"

#include "../io/gguf_keys.h"

#include <algorithm>

namespace moss {

namespace {

const std::string prefix = "moss-speech.voice.";

/// The most frames that a layer may see. No speech model comes near; a hostile one could otherwise need more memory
/// than there is.
constexpr int64_t longest_span = 4096;

/// Checks the span of layers whose dilation grows by the factor `rate`.
void check_span(const GgufKeys & keys, const char * field, int layers, int64_t rate, int64_t kernel) {
    int64_t dilation = 1;
    for (int i = 1; i < layers; i++) {
        dilation *= rate;
        keys.require(dilation * (kernel - 1) <= longest_span, field, "layers that see at most 4096 frames",
                     std::to_string(dilation * (kernel - 1)));
    }
}

void load_generator(const GgufKeys & keys, VoiceConfig & c, int64_t channels, int64_t kernel) {
    c.upsample_initial = keys.integer("upsample_initial", 1, channels);
    c.upsample_rates = keys.integers("upsample_rates", 1, 64, 1, 6);
    c.upsample_kernels = keys.integers("upsample_kernels", 1, 256, 1, 6);
    c.resblock_type = keys.integer("resblock_type", 1, 2);
    c.resblock_kernels = keys.integers("resblock_kernels", 1, kernel, 1, 4);
    const size_t kernels = c.resblock_kernels.size();
    const std::vector<int> dilations = keys.integers("resblock_dilations", 1, 64, 1, 4 * kernels);
    keys.require(dilations.size() % kernels == 0, "resblock_dilations",
                 "equally many for each of " + std::to_string(kernels) + " kernels", std::to_string(dilations.size()));
    const auto count = static_cast<std::ptrdiff_t>(dilations.size() / kernels);
    for (auto first = dilations.begin(); first != dilations.end(); first += count) {
        c.resblock_dilations.emplace_back(first, first + count);
    }
    c.leaky_slope = keys.number("leaky_slope", 0, 1);
    keys.multiple("upsample_initial", c.upsample_initial, "a halving at each rate",
                  int64_t{1} << c.upsample_rates.size());
    keys.upsampling(c.upsample_rates, c.upsample_kernels);
    keys.odd("resblock_kernels", c.resblock_kernels);
    keys.require(c.hop_length() <= 4096, "upsample_rates", "a product up to 4096", std::to_string(c.hop_length()));
}

} // namespace

VoiceConfig VoiceConfig::load(const GgufFile & file) {
    constexpr int64_t channels = 4096;
    constexpr int64_t kernel = 63;
    const GgufKeys keys(file, prefix);
    VoiceConfig c;
    c.sample_rate = keys.integer("sample_rate", 4000, 192000);
    c.vocab_size = keys.integer("vocab_size", 1, 1 << 20);
    c.speaker_count = keys.integer("speaker_count", 1, 1 << 20);
    c.gin_channels = keys.integer("gin_channels", 0, channels);
    keys.require(c.gin_channels > 0 || c.speaker_count == 1, "gin_channels", "above 0 for several speakers", "0");

    c.hidden_size = keys.integer("hidden_size", 1, channels);
    c.block_count = keys.integer("block_count", 0, 48);
    c.head_count = keys.integer("head_count", 1, channels);
    c.ffn_size = keys.integer("ffn_size", 1, 4 * channels);
    c.ffn_kernel = keys.integer("ffn_kernel", 1, kernel);
    c.ffn_activation = keys.choice("ffn_activation", "relu", "gelu");
    c.window_size = keys.integer("window_size", 0, 1024);
    c.norm_epsilon = keys.number("norm_epsilon", 0, 1);
    keys.multiple("hidden_size", c.hidden_size, "head_count", c.head_count);

    c.stochastic = keys.choice("duration", "stochastic", "plain") == "stochastic";
    c.duration_channels = keys.integer("duration_channels", 1, channels);
    c.duration_kernel = keys.integer("duration_kernel", 1, kernel);
    keys.odd("duration_kernel", c.duration_kernel);
    if (c.stochastic) {
        c.duration_layers = keys.integer("duration_layers", 0, 16);
        check_span(keys, "duration_layers", c.duration_layers, c.duration_kernel, c.duration_kernel);
        c.duration_flows = keys.integer("duration_flows", 0, 16);
        c.duration_bins = keys.integer("duration_bins", 1, 256);
        c.duration_tail_bound = keys.number("duration_tail_bound", 1e-3, 1e3);
    }

    c.flow_size = keys.integer("flow_size", 2, channels);
    c.flow_count = keys.integer("flow_count", 0, 8);
    c.wavenet_hidden = keys.integer("wavenet_hidden", 1, channels);
    c.wavenet_layers = keys.integer("wavenet_layers", 1, 16);
    c.wavenet_kernel = keys.integer("wavenet_kernel", 1, kernel);
    c.wavenet_dilation_rate = keys.integer("wavenet_dilation_rate", 1, 4);
    keys.multiple("flow_size", c.flow_size, "two", 2);
    keys.odd("wavenet_kernel", c.wavenet_kernel);
    check_span(keys, "wavenet_dilation_rate", c.wavenet_layers, c.wavenet_dilation_rate, c.wavenet_kernel);

    load_generator(keys, c, channels, kernel);
    c.noise_scale = keys.number("noise_scale", 0, 2);
    c.noise_w = keys.number("noise_w", 0, 2);
    c.length_scale = keys.number("length_scale", 0.1, 10);
    c.default_speaker = keys.integer("default_speaker", 0, c.speaker_count - 1);
    return c;
}

int VoiceConfig::hop_length() const {
    int64_t product = 1;
    for (const int rate : upsample_rates) {
        product = std::min<int64_t>(product * rate, 1 << 30);
    }
    return static_cast<int>(product);
}

VoiceInfo VoiceInfo::load(const GgufFile & file, const VoiceConfig & config) {
    const GgufKeys keys(file, prefix);
    VoiceInfo info;
    info.speakers = file.get_strings(keys.name("speakers"));
    keys.require(info.speakers.size() == static_cast<size_t>(config.speaker_count), "speakers",
                 std::to_string(config.speaker_count) + " names", std::to_string(info.speakers.size()));
    info.language = keys.string("language");
    info.text = keys.string("text");
    return info;
}

} // namespace moss
