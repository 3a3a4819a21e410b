// Malformed files end in a typed error or in success, never in a crash. Also run under the sanitizers.

#include "golden.h"

#include "model/config.h"
#include "model/vits_decoder.h"

#include <cstring>
#include <fstream>
#include <iterator>

using namespace moss;
using namespace moss::test;

namespace {

std::vector<char> bytes_of(const std::string & name) {
    std::ifstream file(golden_path(name), std::ios::binary);
    CHECK(file.good());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Random { // xorshift64: the same on all platforms
    uint64_t state;
    uint64_t operator()(uint64_t below) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state % below;
    }
};

/// Loads all networks of a file. Returns true on success and false for a MossError; anything else fails the test.
bool load_all(const std::vector<char> & bytes) {
    try {
        const GgufFile file = GgufFile::from_memory(bytes.data(), bytes.size());
        const Weights weights(file);
        Runner runner(1);
        const Lm lm(file, weights);
        const Listener listener(file, weights, static_cast<int>(load_units(file).size()), lm.text_embd(), runner);
        Vocabulary::load(file, lm.config());
        Listener::State state(listener, 4);
        Heard heard;
        listener.push(runner, state, std::vector<float>(1280, 0.01f).data(), 1280, heard);
        const VitsDecoder decoder(file, weights);
        VitsDecoder::Stream(decoder, runner, {}).push({1, 2, 3});
        return true;
    } catch (const MossError & error) {
        CHECK(std::string(error.code()).rfind("MOSS_", 0) == 0);
        CHECK(std::string(error.what()) != "");
        return false;
    }
}

void put64(std::vector<char> & bytes, size_t at, uint64_t value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

/// The position of the field after a key or the name of a tensor.
size_t after(const std::vector<char> & bytes, const std::string & name) {
    const std::string all(bytes.begin(), bytes.end());
    const size_t at = all.find(name);
    CHECK(at != std::string::npos);
    return at + name.size();
}

} // namespace

TEST(typed_keys) {
    const GgufFile file = GgufFile::open(golden_path("tiny.gguf"));
    CHECK_EQ(file.get_string("general.architecture"), "moss-speech");
    CHECK_EQ(file.get_int("moss-speech.lm.head_count", 1, 100), 4);
    CHECK_NEAR(file.get_float("moss-speech.tone.mean_decay", 0, 1), 0.995, 1e-6);
    CHECK(file.get_bool("moss-speech.frontend.causal"));
    CHECK_EQ(file.get_ints("moss-speech.frontend.strides", 1, 100).size(), 6U);
    CHECK(file.get_strings("moss-speech.units").at(0) == "_");
    CHECK_THROWS_WITH(file.get_int("moss-speech.none", 0, 1),
                      "moss-speech.none: expected an integer, found no such key");
    CHECK_THROWS_WITH(file.get_int("general.architecture", 0, 1), "expected an integer, found str");
    CHECK_THROWS_WITH(file.get_string("moss-speech.lm.head_count"), "expected a string, found u32");
    CHECK_THROWS_WITH(file.get_bool("moss-speech.lm.head_count"), "expected a boolean, found u32");
    CHECK_THROWS_WITH(file.get_ints("moss-speech.units", 0, 1), "found array of str");
    CHECK_THROWS_WITH(file.get_floats("moss-speech.units"), "found array of str");
    CHECK_THROWS_WITH(file.get_strings("moss-speech.frontend.strides"), "found array of i32");
    CHECK_THROWS_WITH(file.get_int("moss-speech.lm.head_count", 5, 9), "expected 5 … 9, found 4");
    CHECK_THROWS_WITH(file.get_ints("moss-speech.frontend.strides", 3, 9), "expected 3 … 9, found 2");
}

TEST(tensors_are_checked_by_name_and_shape) {
    const GgufFile file = GgufFile::open(golden_path("tiny-q8_0.gguf"));
    const Weights weights(file);
    CHECK_EQ(to_string(file.find_tensor("encoder.blk.0.attn_q.weight")->shape), "[32, 32]");
    CHECK(file.find_tensor("none") == nullptr);
    CHECK_THROWS_WITH(weights.get("none", {3}), "none: expected a tensor of shape [3], found no such tensor");
    CHECK_THROWS_WITH(weights.get("encoder.blk.0.attn_q.weight", {32, 33}),
                      "expected shape [32, 33], found shape [32, 32]");
    CHECK_THROWS_WITH(weights.get_f32("encoder.blk.0.attn_q.weight", {32, 32}), "expected type f32, found type q8_0");
    CHECK(weights.bytes("encoder.") > 0 && weights.bytes("encoder.") < weights.bytes(""));
}

TEST(missing_files_and_folders) {
    CHECK_THROWS_WITH(GgufFile::open(golden_path("none.gguf")), "no such file");
    CHECK_THROWS_WITH(GgufFile::open(golden_path("")), "not a file");
    CHECK_THROWS_WITH(GgufFile::open(golden_path("make_golden.py")), "does not begin with GGUF");
    CHECK_THROWS_WITH(GgufFile::from_memory("GGUF", 4), "shorter than a header");
    CHECK_THROWS_WITH(GgufFile::from_memory(nullptr, 0), "shorter than a header");
}

TEST(truncated_at_any_length) {
    const std::vector<char> whole = bytes_of("tiny-q8_0.gguf");
    CHECK(load_all(whole));
    Random random{1};
    for (size_t length = 0; length < whole.size(); length += 1 + random(length < 600 ? 8 : whole.size() / 60)) {
        CHECK(!load_all({whole.begin(), whole.begin() + static_cast<long>(length)}));
    }
}

TEST(wrong_sizes_are_refused) {
    const std::vector<char> whole = bytes_of("tiny-q8_0.gguf");
    for (const uint64_t huge : {uint64_t(1) << 63, UINT64_MAX, UINT64_MAX / 2, uint64_t(1) << 32, uint64_t(20000)}) {
        for (const size_t at : {size_t(8), size_t(16), size_t(24)}) { // tensors, keys, length of the first key
            std::vector<char> bytes = whole;
            put64(bytes, at, huge);
            CHECK(!load_all(bytes));
        }
        const size_t tensor = after(whole, "encoder.blk.0.attn_q.weight");
        for (const size_t field : {size_t(4), size_t(12), size_t(24)}) { // ne[0], ne[1], offset
            std::vector<char> bytes = whole;
            put64(bytes, tensor + field, huge);
            CHECK(!load_all(bytes));
        }
        std::vector<char> bytes = whole; // a product that overflows to 0
        put64(bytes, tensor + 4, uint64_t(1) << 32);
        put64(bytes, tensor + 12, uint64_t(1) << 32);
        CHECK(!load_all(bytes));
        bytes = whole;
        put64(bytes, after(whole, "moss-speech.units") + 8, huge); // elements of an array
        CHECK(!load_all(bytes));
    }
}

TEST(headers_with_random_bytes) {
    const std::vector<char> whole = bytes_of("tiny-q8_0.gguf");
    const size_t metadata =
        static_cast<size_t>(GgufFile::from_memory(whole.data(), whole.size()).tensors().front().offset);
    CHECK(metadata > 1000 && metadata < whole.size());
    Random random{2};
    int loaded = 0;
    for (int round = 0; round < 400; round++) {
        std::vector<char> bytes = whole;
        for (uint64_t n = 1 + random(4); n > 0; n--) {
            bytes[random(metadata)] = static_cast<char>(random(3) ? random(256) : (random(2) ? 0 : 255));
        }
        loaded += load_all(bytes);
    }
    CHECK(loaded > 0); // most changes hit the tokenizer's text
}

TEST(keys_out_of_range) {
    const std::vector<char> whole = bytes_of("tiny-q8_0.gguf");
    for (const char * key : {"moss-speech.lm.head_count",
                             "moss-speech.lm.key_length",
                             "moss-speech.lm.embedding_length",
                             "moss-speech.lm.shared_block_count",
                             "moss-speech.lm.text_vocab_size",
                             "moss-speech.lm.context_length",
                             "moss-speech.encoder.head_count",
                             "moss-speech.encoder.block_count",
                             "moss-speech.encoder.pos_conv_groups",
                             "moss-speech.encoder.pos_conv_kernel",
                             "moss-speech.encoder.embedding_length",
                             "moss-speech.aligner.downsample",
                             "moss-speech.aligner.head_count",
                             "moss-speech.tone.kernel_size",
                             "moss-speech.tone.hidden",
                             "moss-speech.frontend.sample_rate",
                             "moss-speech.token.sosp",
                             "moss-speech.audio.eosp",
                             "moss-speech.decoder.hidden_size",
                             "moss-speech.decoder.head_count",
                             "moss-speech.decoder.flow_count",
                             "moss-speech.decoder.subbands",
                             "moss-speech.decoder.hop_length",
                             "moss-speech.decoder.window_size",
                             "moss-speech.decoder.mask_left",
                             "moss-speech.decoder.istft_hop",
                             "moss-speech.decoder.edge_unit",
                             "moss-speech.decoder.unit_count",
                             "moss-speech.decoder.ffn_kernel"}) {
        for (const uint32_t value : {0U, 3U, 0x7fffffffU, 0xffffffffU}) {
            std::vector<char> bytes = whole;
            std::memcpy(bytes.data() + after(whole, key) + 4, &value, sizeof value);
            load_all(bytes); // some values are valid
            if (value > 3) {
                CHECK(!load_all(bytes));
            }
        }
    }
}
