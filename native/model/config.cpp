#include "config.h"

#include "../io/gguf_keys.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace moss {

namespace {

// Bounds far above the sizes of any real model. They keep products of sizes from overflowing and bound the size of
// every graph, whatever a file says.
constexpr int64_t max_channels = 65536;
constexpr int64_t max_blocks = 128;
constexpr int max_heads = 512;
constexpr int64_t max_kernel = 4096;
constexpr int64_t max_vocabulary = 1 << 20;
constexpr int max_group_norm_kernel = 64; // the covariance of its inputs is computed (Frontend::Utterance)
constexpr int64_t max_vad_values = 1 << 16;
constexpr int max_endpoint_frames = 4096; // 82 s
constexpr int max_endpoint_channels = 4096;

GgufKeys keys_of(const GgufFile & file, const std::string & component) {
    return {file, "moss-speech." + component + "."};
}

/// An optional activation; GELU if the file lacks the key.
Activation::Kind load_activation(const GgufKeys & keys, const char * field) {
    return keys.optional_choice(field, "gelu", "relu") == "gelu" ? Activation::gelu : Activation::relu;
}

} // namespace

bool all_equal(const std::vector<int> & values) {
    return std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
}

int FrontendConfig::hop_length() const {
    return std::accumulate(strides.begin(), strides.end(), 1, std::multiplies<int>());
}

FrontendConfig FrontendConfig::load(const GgufFile & file) {
    const GgufKeys keys = keys_of(file, "frontend");
    FrontendConfig c;
    c.sample_rate = keys.integer("sample_rate", 16000, 16000);
    c.channels = keys.integers("channels", 1, max_channels, 1, 32);
    c.kernel_sizes = keys.integers("kernel_sizes", 1, max_kernel, c.channels.size(), c.channels.size());
    c.strides = keys.integers("strides", 1, max_kernel, c.channels.size(), c.channels.size());
    c.layer_norm = keys.choice("norm", "layer", "group") == "layer";
    c.causal = keys.boolean("causal");
    c.normalize = keys.boolean("normalize", false);
    c.activation = load_activation(keys, "activation");
    keys.require(!c.causal || (c.layer_norm && !c.normalize), "causal",
                 "false, as the norm or the normalization spans the utterance", "true");
    keys.require(c.layer_norm || c.kernel_sizes[0] <= max_group_norm_kernel, "kernel_sizes",
                 "a first size of up to " + std::to_string(max_group_norm_kernel) + " with group norm",
                 std::to_string(c.kernel_sizes[0]));
    c.tail_padding = keys.integer("tail_padding", 0, 16000 * 10);
    int64_t hop = 1;
    for (size_t i = 0; i < c.strides.size(); i++) {
        hop *= c.strides[i];
        keys.require(hop <= 16000, "strides", "a product up to 16000", std::to_string(hop) + " and more");
        keys.require(!c.causal || c.kernel_sizes[i] >= c.strides[i], "kernel_sizes",
                     "no kernel below its stride in a causal model", std::to_string(c.kernel_sizes[i]));
    }
    return c;
}

VadConfig VadConfig::load(const GgufFile & file) {
    const GgufKeys keys = keys_of(file, "vad");
    VadConfig c;
    c.window_length = keys.integer("window_length", 16, 16000);
    c.context_length = keys.integer("context_length", 0, c.window_length);
    c.fft_length = keys.integer("fft_length", 4, c.window_length);
    c.hop_length = keys.integer("hop_length", (c.fft_length + 3) / 4, c.fft_length); // bounds how much spectra overlap
    c.channels = keys.integers("channels", 1, 4096, 1, 16);
    c.strides = keys.integers("strides", 1, 16, c.channels.size(), c.channels.size());
    c.hidden = keys.integer("hidden", 1, 4096);
    c.max_utterance_seconds = keys.number("max_utterance_seconds", 1, 3600);
    const int64_t spectra = c.frames();
    int64_t product = 1;
    for (size_t i = 0; i < c.channels.size() && product <= spectra; i++) {
        product *= c.strides[i];
        const int64_t values = spectra / product * c.channels[i];
        keys.require(values <= max_vad_values, "channels",
                     "up to " + std::to_string(max_vad_values) + " values a window in each layer",
                     std::to_string(values));
    }
    keys.require(product == spectra, "strides",
                 "a product of " + std::to_string(spectra) + ", the number of spectra in a window",
                 std::to_string(product) + (product > spectra ? " or more" : ""));
    return c;
}

EndpointConfig EndpointConfig::load(const GgufFile & file) {
    const GgufKeys keys = keys_of(file, "endpoint");
    EndpointConfig c;
    c.frames = keys.integer("frames", 1, max_endpoint_frames);
    c.hidden = keys.integer("hidden", 1, max_endpoint_channels);
    c.kernel_size = keys.integer("kernel_size", 1, 64);
    c.heads = keys.integer("heads", 1, 64);
    c.feed_forward = keys.integer("feed_forward", 1, max_endpoint_channels);
    return c;
}

ToneConfig ToneConfig::load(const GgufFile & file) {
    const GgufKeys keys = keys_of(file, "tone");
    ToneConfig c;
    c.lags = keys.integers("lags", 1, 4000, 1, 1024);
    for (size_t i = 1; i < c.lags.size(); i++) {
        keys.require(c.lags[i] > c.lags[i - 1], "lags", "ascending values",
                     std::to_string(c.lags[i]) + " after " + std::to_string(c.lags[i - 1]));
    }
    c.hidden = keys.integer("hidden", 1, max_channels);
    c.tcn_channels = keys.integer("tcn_channels", 1, max_channels);
    c.kernel_size = keys.integer("kernel_size", 2, 64);
    c.dilations = keys.integers("dilations", 1, 1024, 1, 32);
    c.classes = keys.integer("classes", 1, 256);
    c.mean_decay = keys.number("mean_decay", 0, 1);
    c.mean_prior = keys.number("mean_prior", 0, 20);
    c.mean_prior_weight = keys.number("mean_prior_weight", 1e-6, 1e6);
    return c;
}

EncoderConfig EncoderConfig::load(const GgufFile & file) {
    const GgufKeys keys = keys_of(file, "encoder");
    EncoderConfig c;
    c.embedding_length = keys.integer("embedding_length", 1, max_channels);
    c.feed_forward_length = keys.integer("feed_forward_length", 1, max_channels);
    c.block_count = keys.integer("block_count", 1, max_blocks);
    c.head_counts = file.get_int_each(keys.name("head_count"), 1, max_heads, c.block_count);
    c.layer_norm_epsilon = keys.number("layer_norm_epsilon", 0, 1);
    c.pos_conv_kernel = keys.integer("pos_conv_kernel", 1, max_kernel);
    c.pos_conv_groups = keys.integer("pos_conv_groups", 1, max_channels);
    c.pos_conv_causal = keys.boolean("pos_conv_causal");
    c.pos_conv_stack = keys.integer("pos_conv_stack", 0, 32, 0);
    keys.require(c.pos_conv_stack == 0 || !c.pos_conv_causal, "pos_conv_causal", "false for a stack of convolutions",
                 "true");
    c.feature_norm = keys.boolean("feature_norm", true);
    c.norm_first = keys.boolean("norm_first");
    c.activation = load_activation(keys, "activation");
    c.position_activation = load_activation(keys, "position_activation");
    c.chunk_size = keys.integer("chunk_size", 0, 4096);
    c.left_context = keys.integer("left_context", 0, 65536);
    keys.multiple("embedding_length", c.embedding_length, "pos_conv_groups", c.pos_conv_groups);
    if (keys.has("key_length") || !all_equal(c.head_counts)) {
        c.key_length = keys.integer("key_length", 1, max_channels);
    } else {
        keys.multiple("embedding_length", c.embedding_length, "head_count", c.head_counts.front());
        c.key_length = c.embedding_length / c.head_counts.front();
    }
    return c;
}

AlignerConfig AlignerConfig::load(const GgufFile & file) {
    const GgufKeys keys = keys_of(file, "aligner");
    AlignerConfig c;
    c.embedding_length = keys.integer("embedding_length", 1, max_channels);
    c.block_count = keys.integer("block_count", 0, max_blocks);
    c.head_count = keys.integer("head_count", 1, max_heads);
    c.feed_forward_length = keys.integer("feed_forward_length", 1, max_channels);
    c.downsample = keys.integer("downsample", 1, 64);
    keys.multiple("embedding_length", c.embedding_length, "head_count", c.head_count);
    return c;
}

LmConfig LmConfig::load(const GgufFile & file) {
    const std::string architecture = file.get_string("general.architecture");
    if (architecture != "moss-speech") {
        return import(file, architecture);
    }
    const GgufKeys keys = keys_of(file, "lm");
    LmConfig c;
    c.embedding_length = keys.integer("embedding_length", 1, max_channels);
    c.feed_forward_length = keys.integer("feed_forward_length", 1, 4 * max_channels);
    c.shared_block_count = keys.integer("shared_block_count", 1, max_blocks);
    c.text_block_count = keys.integer("text_block_count", 0, max_blocks / 2);
    c.audio_block_count = keys.integer("audio_block_count", 0, max_blocks / 2);
    c.load_heads(file, keys.name("head_count"), keys.name("head_count_kv"), false);
    c.key_length = keys.integer("key_length", 2, 1024);
    c.rms_epsilon = keys.number("rms_epsilon", 0, 1);
    c.rope.freq_base = keys.number("rope_freq_base", 1, 1e12);
    c.context_length = keys.integer("context_length", 1, 1 << 20);
    c.text_vocab_size = keys.integer("text_vocab_size", 1, max_vocabulary);
    c.audio_vocab_size = keys.integer("audio_vocab_size", 1, max_vocabulary);
    keys.multiple("key_length", c.key_length, "RoPE's pairs", 2);
    return c;
}

void LmConfig::load_heads(const GgufFile & file, const std::string & key, const std::string & key_kv,
                          bool optional_kv) {
    head_counts = file.get_int_each(key, 1, max_heads, block_count());
    head_counts_kv =
        optional_kv && !file.has(key_kv) ? head_counts : file.get_int_each(key_kv, 1, max_heads, block_count());
    for (size_t i = 0; i < head_counts.size(); i++) {
        if (head_counts[i] % head_counts_kv[i] != 0) {
            const std::string layer =
                all_equal(head_counts) && all_equal(head_counts_kv) ? "" : " in layer " + std::to_string(i);
            throw model_format_error(key,
                                     "a multiple of " + key_kv + " (" + std::to_string(head_counts_kv[i]) + ")" + layer,
                                     std::to_string(head_counts[i]));
        }
    }
}

std::vector<std::string> load_units(const GgufFile & file) {
    return file.has("moss-speech.units") ? file.get_strings("moss-speech.units") : std::vector<std::string>{};
}

Vocabulary Vocabulary::load(const GgufFile & file, const LmConfig & lm) {
    Vocabulary v;
    v.units = file.get_strings("moss-speech.units");
    if (v.units.empty() || v.units.size() > static_cast<size_t>(lm.audio_vocab_size)) {
        throw model_format_error("moss-speech.units", "1 … " + std::to_string(lm.audio_vocab_size) + " units",
                                 std::to_string(v.units.size()));
    }
    v.tokenizer = file.get_string("tokenizer.huggingface.json");
    const GgufKeys token = keys_of(file, "token"), audio = keys_of(file, "audio");
    v.text.im_start = token.integer("im_start", 0, lm.text_vocab_size - 1);
    v.text.im_end = token.integer("im_end", 0, lm.text_vocab_size - 1);
    v.text.sosp = token.integer("sosp", 0, lm.text_vocab_size - 1);
    v.text.modality_pad = token.integer("modality_pad", 0, lm.text_vocab_size - 1);
    v.text.pad = token.integer("pad", 0, lm.text_vocab_size - 1);
    v.audio.eosp = audio.integer("eosp", 0, lm.audio_vocab_size - 1);
    v.audio.pad = audio.integer("pad", 0, lm.audio_vocab_size - 1);
    return v;
}

} // namespace moss
