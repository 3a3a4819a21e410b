// Qwen3 and Llama models as llama.cpp writes them: the keys `qwen3.*` and `llama.*` of its GGUF files.

#include "config.h"

#include "../io/error.h"

#include <cmath>

namespace moss {

namespace {

// As in config.cpp: no product of them overflows, and every graph stays within Graph::max_nodes.
constexpr int64_t max_width = 65536;
constexpr int64_t max_blocks = 256;
constexpr int64_t max_vocabulary = 1 << 20;
constexpr int64_t max_context = 1 << 24;

struct Keys {
    const GgufFile & file;
    std::string prefix;

    bool has(const char * field) const { return file.has(prefix + field); }
    int integer(const char * field, int64_t low, int64_t high) const {
        return static_cast<int>(file.get_int(prefix + field, low, high));
    }
    int integer(const char * field, int64_t low, int64_t high, int missing) const {
        return has(field) ? integer(field, low, high) : missing;
    }
    float number(const char * field, double low, double high, float missing) const {
        return has(field) ? static_cast<float>(file.get_float(prefix + field, low, high)) : missing;
    }
    void require(bool condition, const char * field, const std::string & expected, const std::string & found) const {
        if (!condition) {
            throw model_format_error(prefix + field, expected, found);
        }
    }
    /// What llama.cpp knows and this package does not.
    void refuse(const char * field, const std::string & why) const {
        throw MossError(code::unsupported, prefix + field + ": " + why, {{"name", prefix + field}});
    }
};

RopeConfig load_rope(const Keys & keys, const LmConfig & lm) {
    RopeConfig rope;
    rope.interleaved = keys.prefix == "llama.";
    rope.freq_base = keys.number("rope.freq_base", 1, 1e12, rope.freq_base);
    rope.original_context_length =
        keys.integer("rope.scaling.original_context_length", 1, max_context, lm.context_length);
    const std::string type =
        keys.has("rope.scaling.type") ? keys.file.get_string(keys.prefix + "rope.scaling.type") : "linear";
    if (type == "none") {
        return rope;
    }
    if (type != "linear" && type != "yarn") {
        keys.refuse("rope.scaling.type", type + " is not supported: none, linear and yarn are");
    }
    const char * key = keys.has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear"; // its old name
    const float factor = keys.number(key, 0, 1e6, 1);
    keys.require(factor == 0 || factor >= 1, key, "1 and more", std::to_string(factor)); // 0: not scaled
    rope.freq_scale = factor > 0 ? 1 / factor : 1;
    rope.attn_factor = keys.number("rope.scaling.attn_factor", 1e-3, 1e3, 1); // ggml multiplies YaRN's own to it
    if (type == "yarn") {
        rope.ext_factor = keys.number("rope.scaling.yarn_ext_factor", 0, 1e3, 1);
        rope.beta_fast = keys.number("rope.scaling.yarn_beta_fast", 1e-3, 1e6, rope.beta_fast);
        rope.beta_slow = keys.number("rope.scaling.yarn_beta_slow", 1e-3, 1e6, rope.beta_slow);
    }
    return rope;
}

/// Its default follows from the number of heads, where all layers have one.
int load_key_length(const Keys & keys, const LmConfig & lm) {
    const char * field = "attention.key_length";
    const int heads = lm.head_counts.front();
    int length = 0;
    if (keys.has(field) || !all_equal(lm.head_counts)) {
        length = keys.integer(field, 2, 1024);
    } else {
        keys.require(lm.embedding_length % heads == 0, "embedding_length",
                     "a multiple of attention.head_count (" + std::to_string(heads) + ")",
                     std::to_string(lm.embedding_length));
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
    const Keys keys{file, architecture + "."};
    if (keys.integer("expert_count", 0, max_width, 0) > 0) {
        keys.refuse("expert_count", "a mixture of experts is not supported");
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
    c.load_heads(file, keys.prefix + "attention.head_count", keys.prefix + "attention.head_count_kv", true);
    c.key_length = load_key_length(keys, c);
    for (const char * same : {"attention.value_length", "rope.dimension_count"}) {
        const int found = keys.integer(same, 1, max_width, c.key_length);
        keys.require(found == c.key_length, same, "the length of keys, " + std::to_string(c.key_length),
                     std::to_string(found));
    }
    c.rms_epsilon = static_cast<float>(file.get_float(keys.prefix + "attention.layer_norm_rms_epsilon", 0, 1));
    c.context_length = keys.integer("context_length", 1, max_context);
    c.qk_norm = architecture == "qwen3";
    c.rope = load_rope(keys, c);
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
