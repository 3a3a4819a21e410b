#include "vits_config.h"

#include "../io/gguf_keys.h"

#include <functional>
#include <numeric>

namespace moss {

namespace {

const std::string prefix = "moss-speech.decoder.";
constexpr int64_t channels = 4096;
constexpr int64_t kernel = 63;

} // namespace

UnitFramesConfig UnitFramesConfig::load(const GgufKeys & keys) {
    UnitFramesConfig c;
    c.sample_rate = keys.integer("sample_rate", 8000, 96000);
    c.hop_length = keys.integer("hop_length", 1, 4096);
    c.unit_count = keys.integer("unit_count", 1, 1 << 20);
    c.hidden_size = keys.integer("hidden_size", 1, channels);
    c.block_count = keys.integer("block_count", 1, 48);
    c.head_count = keys.integer("head_count", 1, channels);
    c.ffn_size = keys.integer("ffn_size", 1, channels);
    c.ffn_kernel = keys.integer("ffn_kernel", 1, kernel);
    c.window_size = keys.integer("window_size", 0, 1024);
    c.mask_left = keys.integer("mask_left", 0, 4096);
    c.mask_right = keys.integer("mask_right", 0, 4096);
    c.style_size = keys.integer("style_size", 1, channels);
    c.gin_channels = keys.integer("gin_channels", 1, channels);
    c.duration_channels = keys.integer("duration_channels", 1, channels);
    c.prosody_layers = keys.integer("prosody_layers", 0, 16);
    c.prosody_kernel = keys.integer("prosody_kernel", 1, kernel);
    c.log_f0_mean = keys.number("log_f0_mean", 0, 20);
    c.log_f0_std = keys.number("log_f0_std", 1e-3, 1e3);
    c.edge_unit = keys.integer("edge_unit", -1, c.unit_count - 1, c.edge_unit);
    keys.multiple("hidden_size", c.hidden_size, "head_count", c.head_count);
    c.pauses.resize(static_cast<size_t>(c.unit_count));
    constexpr const char * units = "moss-speech.units"; // a file of a decoder alone has none
    const std::vector<std::string> symbols =
        keys.file().has(units) ? keys.file().get_strings(units) : std::vector<std::string>();
    for (size_t i = 0; i < std::min(symbols.size(), c.pauses.size()); i++) {
        c.pauses[i] = symbols[i] == "," || symbols[i] == "." || symbols[i] == "?" || symbols[i] == "!";
    }
    return c;
}

DecoderConfig DecoderConfig::load(const GgufFile & file) {
    const GgufKeys keys(file, prefix);
    DecoderConfig c;
    static_cast<UnitFramesConfig &>(c) = UnitFramesConfig::load(keys);
    c.flow_size = keys.integer("flow_size", 2, channels);
    c.flow_count = keys.integer("flow_count", 0, 8);
    c.wavenet_hidden = keys.integer("wavenet_hidden", 1, channels);
    c.wavenet_layers = keys.integer("wavenet_layers", 1, 16);
    c.wavenet_kernel = keys.integer("wavenet_kernel", 1, kernel);
    c.upsample_initial = keys.integer("upsample_initial", 1, channels);
    c.upsample_rates = keys.integers("upsample_rates", 1, 64, 1, 6);
    c.upsample_kernels = keys.integers("upsample_kernels", 1, 256, 1, 6);
    c.resblock_type = keys.integer("resblock_type", 1, 2);
    c.resblock_kernels = keys.integers("resblock_kernels", 1, kernel, 1, 4);
    c.resblock_dilations = keys.integers("resblock_dilations", 1, 64, 1, 4);
    c.subbands = keys.integer("subbands", 1, 64);
    c.istft_n_fft = keys.integer("istft_n_fft", 2, 4096);
    c.istft_hop = keys.integer("istft_hop", 1, 2048);
    c.source = keys.boolean("source", false);

    const std::string head = keys.string("head");
    keys.require(head == "mb-istft", "head", "mb-istft", head);
    keys.multiple("flow_size", c.flow_size, "two", 2);
    keys.multiple("upsample_initial", c.upsample_initial, "a halving at each up-sampling",
                  int64_t{1} << c.upsample_rates.size());
    keys.multiple("istft_n_fft", c.istft_n_fft, "two", 2);
    keys.upsampling(c.upsample_rates, c.upsample_kernels);
    keys.odd("resblock_kernels", c.resblock_kernels);
    const int64_t hop =
        std::accumulate(c.upsample_rates.begin(), c.upsample_rates.end(), int64_t{1}, std::multiplies<>()) *
        c.istft_hop * c.subbands;
    keys.require(c.hop_length == hop, "hop_length",
                 std::to_string(hop) + ", the product of upsample_rates, istft_hop and subbands",
                 std::to_string(c.hop_length));
    return c;
}

DecoderPresets DecoderPresets::load(const GgufFile & file) {
    const GgufKeys keys(file, prefix);
    DecoderPresets presets;
    const auto count = [&](const char * field, size_t expected, size_t found) {
        keys.require(expected == found, field, std::to_string(expected) + " values", std::to_string(found));
    };
    const std::vector<std::string> names = file.get_strings(keys.name("voices"));
    const std::vector<std::string> languages = file.get_strings(keys.name("voice_languages"));
    keys.require(!names.empty(), "voices", "at least one voice", "none");
    count("voice_languages", names.size(), languages.size());
    for (size_t i = 0; i < names.size(); i++) {
        presets.voices.push_back({names[i], languages[i]});
    }
    presets.gains.assign(names.size(), 1.0F);
    if (keys.has("voice_gains")) {
        const std::vector<double> gains = file.get_floats(keys.name("voice_gains"));
        count("voice_gains", names.size(), gains.size());
        for (size_t i = 0; i < gains.size(); i++) {
            keys.require(gains[i] >= 0.1 && gains[i] <= 10, "voice_gains", "factors of 0.1 to 10",
                         std::to_string(gains[i]));
            presets.gains[i] = static_cast<float>(gains[i]);
        }
    }
    const std::vector<int64_t> defaults =
        file.get_ints(keys.name("default_voices"), 0, static_cast<int64_t>(names.size()) - 1);
    count("default_voices", 2, defaults.size());
    presets.default_voice_en = static_cast<int>(defaults[0]);
    presets.default_voice_zh = static_cast<int>(defaults[1]);
    const std::vector<std::string> emotions = file.get_strings(keys.name("emotions"));
    const std::vector<double> table = file.get_floats(keys.name("emotion_table"));
    keys.require(!emotions.empty(), "emotions", "at least one", "none");
    count("emotion_table", 4 * emotions.size(), table.size());
    for (size_t i = 0; i < emotions.size(); i++) {
        const auto value = [&](size_t column) { return static_cast<float>(table[4 * i + column]); };
        keys.require(value(0) >= 0.25F && value(0) <= 4.0F, "emotion_table", "speeds of 0.25 to 4",
                     std::to_string(value(0)));
        presets.emotions.push_back({emotions[i], value(0), value(1), value(2), value(3)});
    }
    return presets;
}

VoiceFacts DecoderPresets::facts(int sample_rate) const {
    VoiceFacts facts;
    facts.sample_rate = sample_rate;
    facts.voices = voices;
    facts.default_voice_en = default_voice_en;
    facts.default_voice_zh = default_voice_zh;
    for (const Emotion & emotion : emotions) {
        facts.emotions.push_back(emotion.name);
    }
    return facts;
}

} // namespace moss
