#include "istft_config.h"

#include "../io/gguf_keys.h"

namespace moss {

IstftConfig IstftConfig::load(const GgufFile & file) {
    constexpr int64_t channels = 4096;
    constexpr int64_t kernel = 63;
    constexpr size_t levels = 4;
    const GgufKeys keys(file, "moss-speech.generator.");
    IstftConfig c;
    c.sample_rate = keys.integer("sample_rate", 8000, 96000);
    c.feature_size = keys.integer("feature_size", 1, channels);
    c.channels = keys.integers("channels", 1, channels, 1, levels);
    c.upsample_rates = keys.integers("upsample_rates", 2, 16, 1, levels);
    c.upsample_kernels = keys.integers("upsample_kernels", 2, kernel, 1, levels);
    c.resblock_kernels = keys.integers("resblock_kernels", 1, kernel, 1, 4);
    c.resblock_dilations = keys.integers("resblock_dilations", 1, 64, 1, 4);
    c.noise_kernels = keys.integers("noise_kernels", 1, kernel, 1, levels);
    c.istft_n_fft = keys.integer("istft_n_fft", 4, 256);
    c.istft_hop = keys.integer("istft_hop", 1, 128);
    c.voices = file.get_strings(keys.name("voices"));

    const auto of_levels = [&](const char * field, size_t count) {
        keys.require(count == c.levels(), field, std::to_string(c.levels()) + " values, as many as channels",
                     std::to_string(count));
    };
    of_levels("upsample_rates", c.upsample_rates.size());
    of_levels("upsample_kernels", c.upsample_kernels.size());
    of_levels("noise_kernels", c.noise_kernels.size());
    keys.upsampling(c.upsample_rates, c.upsample_kernels);
    keys.odd("noise_kernels", c.noise_kernels);
    keys.odd("resblock_kernels", c.resblock_kernels);
    keys.multiple("istft_n_fft", c.istft_n_fft, "twice istft_hop", int64_t{2} * c.istft_hop);
    constexpr int64_t longest_hop = 4096;
    keys.require(c.hop_length() >= 2 * c.istft_n_fft && c.hop_length() <= longest_hop, "upsample_rates",
                 "a frame of twice istft_n_fft to " + std::to_string(longest_hop) + " samples",
                 std::to_string(c.hop_length()) + " samples");
    keys.require(!c.voices.empty(), "voices", "at least one voice", "none");
    return c;
}

int64_t IstftConfig::frames_above(size_t level) const {
    int64_t frames = 1;
    for (size_t i = level + 1; i < levels(); i++) {
        frames *= upsample_rates[i];
    }
    return frames;
}

} // namespace moss
