// Files of very deep networks or with very large sizes: they load and work, or are refused with an error that names the
// key. Nothing aborts, and no more memory is allocated than the size of the file justifies.

#include "changed.h"

#include "core/hearing/syllables.h"
#include "graph/thread_pool.h"

#include <atomic>
#include <chrono>
#include <cstring>

#ifdef __GLIBC__
#include <pthread.h>
#endif

using namespace moss;
using namespace moss::test;

namespace {

KeyChange number(const std::string & key, uint32_t value) {
    return [=](gguf_context * g) { gguf_set_val_u32(g, key.c_str(), value); };
}

/// A file that a test makes.
class MadeFile {
  public:
    explicit MadeFile(size_t bytes)
        : gguf_(gguf_init_empty()), data_(ggml_init({bytes, nullptr, false})),
          path_(temporary_file("deep.gguf").u8string()) {}
    ~MadeFile() {
        gguf_free(gguf_);
        ggml_free(data_);
        std::filesystem::remove(std::filesystem::u8path(path_));
    }

    void number(const std::string & key, uint32_t value) { gguf_set_val_u32(gguf_, key.c_str(), value); }
    void real(const std::string & key, float value) { gguf_set_val_f32(gguf_, key.c_str(), value); }
    void word(const std::string & key, const char * value) { gguf_set_val_str(gguf_, key.c_str(), value); }

    /// Adds a tensor with equal values, or with values that differ by `step`.
    void add(const std::string & name, const Shape & shape, float value = 0, float step = 0) {
        ggml_tensor * t = ggml_new_tensor(data_, GGML_TYPE_F32, static_cast<int>(shape.size()), shape.data());
        for (int64_t i = 0; i < ggml_nelements(t); i++) {
            static_cast<float *>(t->data)[i] = value + step * static_cast<float>(i * 7 % 5 - 2);
        }
        ggml_set_name(t, name.c_str());
        gguf_add_tensor(gguf_, t);
    }

    void linear(const std::string & name, int64_t in, int64_t out, float step = 0) {
        add(name + ".weight", {in, out}, 0, step);
        add(name + ".bias", {out});
    }

    std::string write() const {
        gguf_write_to_file(gguf_, path_.c_str(), false);
        return path_;
    }

  private:
    gguf_context * gguf_;
    ggml_context * data_;
    std::string path_;
};

/// Only an aligner, with `blocks` tiny blocks of zeros.
void make_aligner(MadeFile & file, int blocks) {
    for (const auto & [field, value] : {std::pair<const char *, uint32_t>{"embedding_length", 4},
                                        {"block_count", static_cast<uint32_t>(blocks)},
                                        {"head_count", 1},
                                        {"feed_forward_length", 4},
                                        {"downsample", 1}}) {
        file.number(std::string("moss-speech.aligner.") + field, value);
    }
    file.add("text", {4, 3});
    file.linear("aligner.down", 4, 4);
    file.linear("aligner.out", 4, 4);
    file.add("aligner.out_norm.weight", {4});
    file.add("aligner.out_norm.bias", {4});
    for (int i = 0; i < blocks; i++) {
        const std::string name = "aligner.blk." + std::to_string(i) + ".";
        for (const char * part : {"attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"}) {
            file.linear(name + part, 4, 4);
        }
        for (const char * norm : {"attn_norm", "ffn_norm"}) {
            file.add(name + norm + ".weight", {4});
            file.add(name + norm + ".bias", {4});
        }
    }
}

/// Blocks of a language model with four channels. They add nothing to the residual stream, so that any number of them
/// gives the same result.
void add_lm_blocks(MadeFile & file, const std::string & prefix, int blocks) {
    for (int i = 0; i < blocks; i++) {
        const std::string name = prefix + "blk." + std::to_string(i) + ".";
        for (const char * part : {"attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up"}) {
            file.linear(name + part, 4, 4, 0.5F);
        }
        file.linear(name + "attn_output", 4, 4);
        file.linear(name + "ffn_down", 4, 4);
        for (const char * norm : {"attn_norm", "attn_q_norm", "attn_k_norm", "ffn_norm"}) {
            file.add(name + norm + ".weight", {4}, 1);
        }
    }
}

/// An imported language model with four channels, and with biases, which make its graph as large as possible.
void make_imported_lm(MadeFile & file, int blocks) {
    file.word("general.architecture", "qwen3");
    for (const auto & [field, value] : {std::pair<const char *, uint32_t>{"embedding_length", 4},
                                        {"block_count", static_cast<uint32_t>(blocks)},
                                        {"attention.head_count", 1},
                                        {"feed_forward_length", 4},
                                        {"context_length", 1024}}) {
        file.number(std::string("qwen3.") + field, value);
    }
    file.real("qwen3.attention.layer_norm_rms_epsilon", 1e-6F);
    file.add("token_embd.weight", {4, 8}, 1, 0.3F);
    file.add("output_norm.weight", {4}, 1);
    add_lm_blocks(file, "", blocks);
}

/// The language model of a bundle, with two tails.
void make_lm(MadeFile & file, int shared, int tail) {
    file.word("general.architecture", "moss-speech");
    for (const auto & [field, value] : {std::pair<const char *, uint32_t>{"embedding_length", 4},
                                        {"shared_block_count", static_cast<uint32_t>(shared)},
                                        {"text_block_count", static_cast<uint32_t>(tail)},
                                        {"audio_block_count", static_cast<uint32_t>(tail)},
                                        {"head_count", 1},
                                        {"head_count_kv", 1},
                                        {"key_length", 4},
                                        {"feed_forward_length", 4},
                                        {"context_length", 1024},
                                        {"text_vocab_size", 8},
                                        {"audio_vocab_size", 8}}) {
        file.number(std::string("moss-speech.lm.") + field, value);
    }
    file.real("moss-speech.lm.rms_epsilon", 1e-6F);
    file.real("moss-speech.lm.rope_freq_base", 10000);
    add_lm_blocks(file, "", shared);
    for (const char * channel : {"text.", "audio."}) {
        file.add(std::string(channel) + "token_embd.weight", {4, 8}, 1, 0.3F);
        file.add(std::string(channel) + "output_norm.weight", {4}, 1);
        file.add(std::string(channel) + "output.weight", {4, 8}, 1, 0.3F);
        add_lm_blocks(file, channel, tail);
    }
}

/// The logits of the last of 600 positions, of both tails if there are two. Stages and heads are collected, which makes
/// the graph as large as possible.
std::vector<float> lm_logits(const MadeFile & made) {
    const GgufFile file = GgufFile::open(made.write());
    const Weights weights(file);
    const Lm lm(file, weights);
    Runner runner(1);
    Stages stages, heads;
    runner.stages = &stages;
    runner.heads = &heads;
    Lm::State state(lm, 1024);
    const std::vector<int32_t> ids(600, 3);
    LmLogits logits =
        lm.push(runner, state, ids.data(), ids.data(), 600, lm.config().text_only() ? Tails::text : Tails::both);
    CHECK_EQ(state.length(), 600);
    logits.text.insert(logits.text.end(), logits.audio.begin(), logits.audio.end());
    return logits.text;
}

} // namespace

TEST(a_deep_aligner_hears_long_speech) {
    MadeFile made(size_t{8} << 20);
    make_aligner(made, 128);
    const GgufFile file = GgufFile::open(made.write());
    Weights weights(file);
    Runner runner(1);
    const Aligner aligner(file, weights, 4, weights.get("text", {4, 3}), runner);
    const std::vector<float> hidden(4 * 15000, 0.5F); // 300 s
    std::vector<float> rows;
    Stages stages;
    runner.stages = &stages; // makes the graph as large as possible
    aligner.push(runner, hidden.data(), 15000, rows);
    CHECK_EQ(rows.size(), hidden.size());
}

TEST(a_deep_language_model_reads_long_text) {
    const auto imported = [](int blocks) {
        MadeFile made(size_t{16} << 20);
        make_imported_lm(made, blocks);
        return lm_logits(made);
    };
    const std::vector<float> shallow = imported(1);
    CHECK_EQ(shallow.size(), size_t(8));
    CHECK(shallow[0] != shallow[1]);
    CHECK(imported(256) == shallow);
    CHECK_THROWS_WITH(imported(257), "qwen3.block_count");
    const auto bundled = [](int shared, int tail) {
        MadeFile made(size_t{16} << 20);
        make_lm(made, shared, tail);
        return lm_logits(made);
    };
    CHECK_EQ(bundled(1, 1).size(), size_t(16));
    CHECK(bundled(128, 64) == bundled(1, 1));
    CHECK_THROWS_WITH(bundled(129, 64), "moss-speech.lm.shared_block_count");
    CHECK_THROWS_WITH(bundled(1, 65), "moss-speech.lm.text_block_count");
}

TEST(a_deep_language_model_answers) {
    MadeFile made(size_t{16} << 20);
    make_imported_lm(made, 256);
    Session session(Model::load(made.write(), {2}), 1);
    Request request;
    request.text.assign(600, 3);
    request.output = Output::text;
    request.max_tokens = 4;
    size_t ids = 0;
    CancelToken cancel;
    session.generate(request, [&](Chunk && chunk) { ids += chunk.text.size(); }, cancel);
    CHECK_EQ(ids, size_t(4));
}

TEST(a_state_that_the_weights_do_not_justify_is_refused) {
    const std::string nano = "../../models/nano"; // 65,536 frames would take 800 MB
    check_refusal(refusal(nano, number("moss-speech.encoder.left_context", 65536)), "moss-speech.encoder.left_context");
    CHECK_EQ(refusal(nano, number("moss-speech.encoder.left_context", 1024)), "");
    const auto expect = [](double bytes) { Weights::check_state("a key", bytes, 1000); };
    expect(64e6);
    CHECK_THROWS_WITH(expect(70e6), "a key: expected a state of up to 64 MB");
}

TEST(weights_outlive_their_file) {
    std::shared_ptr<const WeightMemory> memory;
    ggml_tensor * tensor = nullptr;
    {
        const GgufFile file = GgufFile::open(golden_path("tiny.gguf"));
        const Weights weights(file);
        tensor = weights.get(file.tensors().front().name, file.tensors().front().shape);
        memory = weights.memory();
    }
    CHECK(memory.use_count() == 1);
    CHECK(ggml_nbytes(tensor) > 0 && tensor->data != nullptr);
}

TEST(a_large_table_of_syllables_is_made_at_once_and_its_search_can_be_cancelled) {
    std::vector<std::string> units{"_", "→", "↗", "↓", "↘"}, names, spellings;
    for (char c = 'a'; c <= 'z'; c++) {
        units.emplace_back(1, c);
    }
    uint32_t random = 1;
    for (int i = 0; i < 4096; i++) {
        std::string spelling;
        for (int k = 0; k < 31; k++) {
            random = random * 1664525U + 1013904223U;
            spelling += static_cast<char>('a' + (random >> 16) % 26);
        }
        names.push_back(spelling);
        spellings.push_back(spelling + "0");
    }
    const auto start = std::chrono::steady_clock::now();
    const Syllables syllables(names, spellings, units);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    CHECK(took.count() < 2); // it was more than ten
    const std::atomic<bool> cancel{true};
    const std::vector<float> logits(units.size() * 100);
    try {
        syllables.hear(logits, {}, 0.02, &cancel);
        CHECK(false);
    } catch (const MossError & error) {
        CHECK_EQ(std::string(error.code()), code::aborted);
    }
}

#ifdef __GLIBC__
namespace {

/// While it lives, no thread can be started, because its stack would be larger than the address space.
struct NoThreads {
    NoThreads() {
        pthread_getattr_default_np(&before);
        pthread_attr_t huge;
        pthread_attr_init(&huge);
        pthread_attr_setstacksize(&huge, size_t{1} << 48);
        pthread_setattr_default_np(&huge);
        pthread_attr_destroy(&huge);
    }
    ~NoThreads() {
        pthread_setattr_default_np(&before);
        pthread_attr_destroy(&before);
    }
    pthread_attr_t before;
};

} // namespace

TEST(without_threads_there_is_an_error_but_only_the_first_pool_is_needed) {
    const std::string tiny = golden_path("tiny.gguf");
    const auto code_of = [&] {
        try {
            Model::load(tiny, {4});
        } catch (const MossError & error) {
            return std::string(error.code());
        }
        return std::string();
    };
    {
        const NoThreads none;
        CHECK_EQ(code_of(), code::out_of_threads);
    }
    CHECK_EQ(code_of(), "");
    ThreadPools pools(2);
    const NoThreads none;
    const auto first = pools.lease();
    CHECK(static_cast<bool>(first));
    const auto second = pools.lease();
    CHECK(!second); // the session computes on its own thread
}
#endif
