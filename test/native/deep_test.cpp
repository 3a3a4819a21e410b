// Files that are deep or ask for much: they load and work, or are refused by name; nothing aborts, and no memory is
// asked for that the file does not justify.

#include "changed.h"

#include "core/syllables.h"
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

/// An aligner alone, of so many tiny blocks, all zeros.
std::string deep_aligner(int blocks) {
    gguf_context * gguf = gguf_init_empty();
    ggml_context * data = ggml_init({size_t{8} << 20, nullptr, false});
    const auto add = [&](const std::string & name, const Shape & shape) {
        ggml_tensor * t = ggml_new_tensor(data, GGML_TYPE_F32, static_cast<int>(shape.size()), shape.data());
        std::memset(t->data, 0, ggml_nbytes(t));
        ggml_set_name(t, name.c_str());
        gguf_add_tensor(gguf, t);
    };
    const auto linear = [&](const std::string & name, int64_t in, int64_t out) {
        add(name + ".weight", {in, out});
        add(name + ".bias", {out});
    };
    for (const auto & [field, value] : {std::pair<const char *, uint32_t>{"embedding_length", 4},
                                        {"block_count", static_cast<uint32_t>(blocks)},
                                        {"head_count", 1},
                                        {"feed_forward_length", 4},
                                        {"downsample", 1}}) {
        gguf_set_val_u32(gguf, (std::string("moss-speech.aligner.") + field).c_str(), value);
    }
    add("text", {4, 3});
    linear("aligner.down", 4, 4);
    linear("aligner.out", 4, 4);
    add("aligner.out_norm.weight", {4});
    add("aligner.out_norm.bias", {4});
    for (int i = 0; i < blocks; i++) {
        const std::string name = "aligner.blk." + std::to_string(i) + ".";
        for (const char * part : {"attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"}) {
            linear(name + part, 4, 4);
        }
        for (const char * norm : {"attn_norm", "ffn_norm"}) {
            add(name + norm + ".weight", {4});
            add(name + norm + ".bias", {4});
        }
    }
    const std::string path = temporary_file("deep.gguf").u8string();
    gguf_write_to_file(gguf, path.c_str(), false);
    gguf_free(gguf);
    ggml_free(data);
    return path;
}

} // namespace

TEST(a_deep_aligner_hears_long_speech) {
    const std::string path = deep_aligner(128);
    const GgufFile file = GgufFile::open(path);
    Weights weights(file);
    Runner runner(1);
    const Aligner aligner(file, weights, 4, weights.get("text", {4, 3}), runner);
    const std::vector<float> hidden(4 * 15000, 0.5F); // 300 s
    std::vector<float> rows;
    Stages stages;
    runner.stages = &stages; // which is what makes a graph largest
    aligner.push(runner, hidden.data(), 15000, rows);
    CHECK_EQ(rows.size(), hidden.size());
    std::filesystem::remove(std::filesystem::u8path(path));
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
    CHECK(took.count() < 2); // it took more than ten
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

/// While it lives, no thread can be made: a stack would be larger than all addresses.
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

TEST(without_threads_there_is_an_error_and_more_pools_are_no_matter) {
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
    CHECK(!second); // its session computes on its own thread
}
#endif
