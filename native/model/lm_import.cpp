// Qwen3 and Llama models as llama.cpp writes them: the keys `qwen3.*` and `llama.*` of its GGUF files.

#include "config.h"

#include "../io/gguf_keys.h"

#include <cmath>

namespace moss {

namespace {

// Bounds as in config.cpp: they keep products of sizes from overflowing, and bound the size of every graph.
constexpr int64_t max_width = 65536;
constexpr int64_t max_blocks = 256;
constexpr int64_t max_vocabulary = 1 << 20;
constexpr int64_t max_context = 1 << 24;

/// Refuses a feature that llama.cpp supports and this package does not.
[[noreturn]] void refuse(const GgufKeys & keys, const char * field, const std::string & why) {
    throw MossError(code::unsupported, keys.name(field) + ": " + why, {{"name", keys.name(field)}});
}

RopeConfig load_rope(const GgufKeys & keys, const LmConfig & lm, bool interleaved) {
    RopeConfig rope;
    rope.interleaved = interleaved;
    rope.freq_base = keys.number("rope.freq_base", 1, 1e12, rope.freq_base);
    rope.original_context_length =
        keys.integer("rope.scaling.original_context_length", 1, max_context, lm.context_length);
    const std::string type = keys.string("rope.scaling.type", "linear");
    if (type == "none") {
        return rope;
    }
    if (type != "linear" && type != "yarn") {
        refuse(keys, "rope.scaling.type", type + " is not supported: none, linear and yarn are");
    }
    const char * key = keys.has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear"; // its old name
    const float factor = keys.number(key, 0, 1e6, 1);
    keys.require(factor == 0 || factor >= 1, key, "1 and more", std::to_string(factor)); // 0 means not scaled
    rope.freq_scale = factor > 0 ? 1 / factor : 1;
    rope.attn_factor = keys.number("rope.scaling.attn_factor", 1e-3, 1e3, 1); // ggml multiplies it by YaRN's own factor
    if (type == "yarn") {
        rope.ext_factor = keys.number("rope.scaling.yarn_ext_factor", 0, 1e3, 1);
        rope.beta_fast = keys.number("rope.scaling.yarn_beta_fast", 1e-3, 1e6, rope.beta_fast);
        rope.beta_slow = keys.number("rope.scaling.yarn_beta_slow", 1e-3, 1e6, rope.beta_slow);
    }
    return rope;
}

/// The default follows from the number of heads, if it is the same in all layers.
int load_key_length(const GgufKeys & keys, const LmConfig & lm) {
    const char * field = "attention.key_length";
    const int heads = lm.head_counts.front();
    int length = 0;
    if (keys.has(field) || !all_equal(lm.head_counts)) {
        length = keys.integer(field, 2, 1024);
    } else {
        keys.multiple("embedding_length", lm.embedding_length, "attention.head_count", heads);
        length = lm.embedding_length / heads;
    }
    keys.require(length % 2 == 0 && length >= 2 && length <= 1024, field, "an even number up to 1024",
                 std::to_string(length));
    return length;
}

} // namespace

LmConfig LmConfig::import(const GgufFile & file, const std::string & architecture) {
    if (architecture != "qwen3" && architecture != "llama") {
        throw model_format_error("general.architecture", "moss-speech, qwen3 or llama", architecture);
    }
    const GgufKeys keys(file, architecture + ".");
    if (keys.integer("expert_count", 0, max_width, 0) > 0) {
        refuse(keys, "expert_count", "a mixture of experts is not supported");
    }
    for (const TensorInfo & tensor : file.tensors()) {
        const std::string suffix = tensor.name.substr(tensor.name.find_last_of('.') + 1);
        if (suffix != "weight" && suffix != "bias") { // such as the scales of NVFP4 weights
            throw MossError(code::unsupported, "tensor " + tensor.name + " is not supported", {{"name", tensor.name}});
        }
    }
    LmConfig c;
    c.embedding_length = keys.integer("embedding_length", 1, max_width);
    c.feed_forward_length = keys.integer("feed_forward_length", 1, 4 * max_width);
    c.shared_block_count = keys.integer("block_count", 1, max_blocks);
    c.load_heads(file, keys.name("attention.head_count"), keys.name("attention.head_count_kv"), true);
    c.key_length = load_key_length(keys, c);
    for (const char * same : {"attention.value_length", "rope.dimension_count"}) {
        const int found = keys.integer(same, 1, max_width, c.key_length);
        keys.require(found == c.key_length, same, "the length of keys, " + std::to_string(c.key_length),
                     std::to_string(found));
    }
    c.rms_epsilon = keys.number("attention.layer_norm_rms_epsilon", 0, 1);
    c.context_length = keys.integer("context_length", 1, max_context);
    c.qk_norm = architecture == "qwen3";
    c.rope = load_rope(keys, c, architecture == "llama");
    const TensorInfo * embedding = file.find_tensor("token_embd.weight");
    if (!embedding || embedding->shape.size() != 2 || embedding->shape[1] > max_vocabulary) {
        throw model_format_error("token_embd.weight",
                                 "a tensor of shape [" + std::to_string(c.embedding_length) + ", up to " +
                                     std::to_string(max_vocabulary) + "]",
                                 embedding ? to_string(embedding->shape) : "no such tensor");
    }
    c.text_vocab_size = static_cast<int>(embedding->shape[1]);
    return c;
}

} // namespace moss
