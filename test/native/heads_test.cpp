// Attention heads: models whose blocks have different numbers of heads, as after pruning, compared to their PyTorch
// twins; the contribution of each head, compared to its definition; the difference between two models.

#include "changed.h"

#include "core/probe/probe.h"
#include "graph/layers.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace moss;
using namespace moss::test;

namespace {

std::vector<float> wave(size_t count, float step) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; i++) {
        values[i] = std::sin(step * static_cast<float>(i * i % 1000));
    }
    return values;
}

Exercise spoken_turn() {
    Exercise turn;
    turn.samples = Golden("tiny.golden.gguf").values("input.samples");
    turn.units = {3, 5, 8, 13};
    turn.reply = {10, 20, 30};
    return turn;
}

/// A model of test/golden with some columns of a matrix set to zero.
std::shared_ptr<const Model> without_columns(const std::string & name, const std::string & tensor, int64_t begin,
                                             int64_t end) {
    const std::string path = changed(
        name, [](gguf_context *) {},
        [&](ggml_tensor * t) {
            for (int64_t row = 0; t->name == tensor && row < t->ne[1]; row++) {
                auto * values = static_cast<float *>(t->data) + row * t->ne[0];
                std::fill(values + begin, values + end, 0.0F);
            }
        });
    auto model = Model::load(path, {1});
    std::filesystem::remove(std::filesystem::u8path(path));
    return model;
}

} // namespace

TEST(uneven_heads_match_the_twin) {
    const Golden golden("uneven.golden.gguf");
    TestModel model("uneven.gguf");
    const std::vector<float> samples = golden.values("input.samples");
    Stages stages;
    model.runner.stages = &stages;
    model.listener->hear(model.runner, samples.data(), samples.size(), {}, [](EncoderFrames &&, int64_t) {});
    const std::vector<int32_t> words = golden.ids("input.text"), sounds = golden.ids("input.audio");
    Lm::State state(*model.lm, 64);
    for (int i = 0; i < 20; i += 10) {
        model.lm->push(model.runner, state, words.data() + i, sounds.data() + i, 10, Tails::both, true);
    }
    // 6 convolutions, input, position, 3 blocks, hidden, logits; 2 shared blocks and the logits of both tails
    CHECK_EQ(golden.check_error(stages, 1e-4), 17);
}

TEST(uneven_caches_grow_with_what_they_hold) {
    TestModel model("uneven.gguf");
    std::vector<int32_t> ids(400);
    std::iota(ids.begin(), ids.end(), 0);
    std::transform(ids.begin(), ids.end(), ids.begin(), [](int32_t id) { return id * 7 % 70; });
    Lm::State at_once(*model.lm, 512), grown(*model.lm, 512);
    const LmLogits a = model.lm->push(model.runner, at_once, ids.data(), ids.data(), 400, Tails::both);
    model.lm->push(model.runner, grown, ids.data(), ids.data(), 200,
                   Tails::none); // allocates memory for this many positions first
    const LmLogits b = model.lm->push(model.runner, grown, ids.data() + 200, ids.data() + 200, 200, Tails::both);
    CHECK(max_difference(a.text, b.text) <= 1e-4);
    CHECK(max_difference(a.audio, b.audio) <= 1e-4);
}

TEST(wrong_numbers_of_heads_are_refused) {
    const std::string encoder = "moss-speech.encoder.", lm = "moss-speech.lm.", qwen3 = "qwen3.attention.";
    const auto both = [](const KeyChange & a, const KeyChange & b) {
        return [=](gguf_context * g) {
            a(g);
            b(g);
        };
    };
    const auto number = [](const std::string & key, uint32_t value) {
        return [=](gguf_context * g) { gguf_set_val_u32(g, key.c_str(), value); };
    };
    const auto words = [](const std::string & key) {
        return [=](gguf_context * g) {
            const char * values[] = {"2", "2"};
            gguf_set_arr_str(g, key.c_str(), values, 2);
        };
    };
    // The same numbers as in the file, given explicitly.
    CHECK_EQ(refusal("tiny", both(by_layer(encoder + "head_count", {2, 2}), number(encoder + "key_length", 16))), "");
    CHECK_EQ(refusal("tiny", by_layer(encoder + "head_count", {2, 2})), "");
    CHECK_EQ(refusal("tiny", by_layer(lm + "head_count", {4, 4, 4, 4})), "");
    CHECK_EQ(refusal("lm-qwen3", by_layer(qwen3 + "head_count_kv", {2, 2})), "");

    check_refusal(refusal("tiny", by_layer(encoder + "head_count", {2, 1})), "encoder.key_length");
    check_refusal(refusal("tiny", both(by_layer(encoder + "head_count", {2, 1}), number(encoder + "key_length", 16))),
                  "encoder.blk.1.attn_q.weight");
    check_refusal(refusal("tiny", number(encoder + "key_length", 8)), "encoder.blk.0.attn_q.weight");
    check_refusal(refusal("tiny", number(encoder + "key_length", 0)), "key_length");
    check_refusal(refusal("tiny", by_layer(encoder + "head_count", {2, 0})), "1 … 512");
    check_refusal(refusal("tiny", by_layer(encoder + "head_count", {2, -1})), "1 … 512");
    check_refusal(refusal("tiny", by_layer(encoder + "head_count", {2, 1 << 30})), "1 … 512");
    check_refusal(refusal("tiny", by_layer(encoder + "head_count", {2})),
                  "array of 2, one a layer, found an array of 1");
    check_refusal(refusal("tiny", by_layer(encoder + "head_count", {})), "found an array of 0");
    check_refusal(refusal("tiny", by_layer(encoder + "head_count", std::vector<int32_t>(100000, 2))), "one a layer");
    check_refusal(refusal("tiny", words(encoder + "head_count")), "an array of integers");

    check_refusal(refusal("tiny", by_layer(lm + "head_count", {4, 4})), "array of 4");
    check_refusal(refusal("tiny", by_layer(lm + "head_count", {4, 4, 4, 3})), "(2) in layer 3");
    check_refusal(refusal("tiny", by_layer(lm + "head_count_kv", {2, 2, 2, 0})), "1 … 512");
    check_refusal(refusal("tiny", by_layer(lm + "head_count_kv", {2, 2, 1, 2})), "text.blk.0.attn_k.weight");
    check_refusal(refusal("lm-qwen3", by_layer(qwen3 + "head_count", {4, 2})), "blk.1.attn_q.weight");
    check_refusal(refusal("lm-qwen3", by_layer(qwen3 + "head_count_kv", {2, 3})), "(3) in layer 1");
    check_refusal(refusal("lm-llama", by_layer("llama.attention.head_count", {4, 2})), "llama.attention.");
}

TEST(a_heads_share_is_what_it_adds) {
    const std::string path = changed("tiny", [](gguf_context *) {});
    const GgufFile file = GgufFile::open(path);
    std::filesystem::remove(std::filesystem::u8path(path));
    const Weights weights(file);
    Runner runner(1);
    const Linear output(weights, "encoder.blk.0.attn_out", 32, 32); // with a bias, which no head adds
    const std::vector<float> matrix = weights.values("encoder.blk.0.attn_out.weight", {32, 32});
    const std::vector<float> bias = weights.values("encoder.blk.0.attn_out.bias", {32});
    const std::vector<float> x = wave(5 * 32, 0.7F), y = wave(5 * 32, 0.3F);
    for (const int units : {1, 2, 4}) {
        Stages heads;
        std::vector<float> sum, plain;
        for (std::vector<float> * to : {&plain, &sum}) {
            runner.heads = to == &sum ? &heads : nullptr;
            Graph g(runner);
            ggml_tensor * stream = g.input(GGML_TYPE_F32, {32, 5}, x.data());
            g.output(add_heads(g, output, g.input(GGML_TYPE_F32, {32, 5}, y.data()), stream, units, "block"), *to);
            g.run();
        }
        CHECK(max_difference(sum, plain) == 0);
        CHECK_EQ(heads["block"].ne0, units);
        CHECK_EQ(heads["block"].values.size(), size_t(5 * units));
        const size_t width = 32 / static_cast<size_t>(units);
        for (size_t t = 0; t < 5; t++) {
            double total = 0;
            std::vector<double> parts(static_cast<size_t>(units), 0);
            for (size_t row = 0; row < 32; row++) {
                double value = double(x[t * 32 + row]) + bias[row];
                for (size_t u = 0; u < parts.size(); u++) {
                    double part = 0;
                    for (size_t i = u * width; i < (u + 1) * width; i++) {
                        part += double(matrix[row * 32 + i]) * y[t * 32 + i];
                    }
                    parts[u] += part * part;
                    value += part;
                }
                total += value * value;
            }
            for (size_t u = 0; u < parts.size(); u++) {
                CHECK_NEAR(heads["block"].values[t * parts.size() + u], std::sqrt(parts[u] / total), 1e-5);
            }
        }
    }
}

TEST(every_block_has_its_shares) {
    const auto model = Model::load(golden_path("tiny.gguf"), {2});
    CancelToken cancel;
    const Exercise turn = spoken_turn();
    std::map<std::string, HeadShares> found;
    for (const Network network : {Network::encoder, Network::lm}) {
        for (const HeadShares & block : measure_heads(*model, network, turn, cancel)) {
            found[block.block] = block;
        }
    }
    CHECK_EQ(found.size(), size_t(2 + 4));
    for (const char * name : {"encoder.blk.0", "encoder.blk.1", "blk.0", "blk.1", "text.blk.0", "audio.blk.0"}) {
        CHECK_EQ(found[name].shares.size(), size_t(2)); // heads of the encoder, KV heads of the language model
        CHECK(std::all_of(found[name].shares.begin(), found[name].shares.end(),
                          [](double share) { return share > 0.01 && share < 2; }));
    }
    CHECK_EQ(found["encoder.blk.0"].positions, 24);
    CHECK_EQ(found["audio.blk.0"].positions, 5); // sosp and the units
    CHECK_EQ(found["text.blk.0"].positions, 4);  // eosp and the text
    size_t prompt = 6;                           // positions of the prompt, including the aligner's
    for (const char * part : {"user_prefix", "assistant_prefix"}) {
        prompt += TestModel("tiny.gguf").file.get_ints(std::string("moss-speech.template.") + part, 0, 1 << 20).size();
    }
    CHECK_EQ(found["blk.0"].positions, static_cast<int64_t>(prompt) + 5 + 4);
}

TEST(heads_that_add_nothing_have_no_share) {
    CancelToken cancel;
    const Exercise turn = spoken_turn();
    for (const auto & [network, block, tensor] : std::vector<std::tuple<Network, std::string, std::string>>{
             {Network::encoder, "encoder.blk.1", "encoder.blk.1.attn_out.weight"},
             {Network::lm, "audio.blk.0", "audio.blk.0.attn_output.weight"}}) {
        const int64_t width = network == Network::encoder ? 16 : 32; // a head, or two query heads
        const auto model = without_columns("tiny", tensor, width, 2 * width);
        for (const HeadShares & found : measure_heads(*model, network, turn, cancel)) {
            CHECK(found.shares[0] > 0.01);
            CHECK(found.block == block ? found.shares[1] == 0 : found.shares[1] > 0.01);
        }
    }
}

TEST(differences) {
    const auto model = Model::load(golden_path("tiny.gguf"), {2});
    CancelToken cancel;
    const Exercise turn = spoken_turn();
    Difference same = compare(*model, *model, Network::encoder, turn, cancel);
    CHECK_EQ(same.positions, 24);
    CHECK_NEAR(same.cosine, 24, 1e-9);
    CHECK(same.units > 0 && same.edits == 0);
    same = compare(*model, *model, Network::lm, turn, cancel);
    CHECK_EQ(same.positions, 5 + 4); // the units and eosp, the text and im_end
    CHECK(same.loss_before > 0 && same.loss_before == same.loss_after && same.divergence == 0);

    const auto other = without_columns("tiny", "encoder.blk.1.attn_out.weight", 0, 32);
    const Difference heard = compare(*model, *other, Network::encoder, turn, cancel);
    CHECK(heard.cosine < 23.99 && heard.cosine > 0);
    CHECK(heard.edits > 0);
    // The input of the turn is what the unchanged model heard.
    CHECK_EQ(compare(*model, *other, Network::lm, turn, cancel).divergence, 0.0);

    const auto changed_lm = without_columns("tiny", "audio.blk.0.attn_output.weight", 0, 64);
    const Difference spoken = compare(*model, *changed_lm, Network::lm, turn, cancel);
    CHECK_NEAR(spoken.loss_before, same.loss_before, 1e-9);
    CHECK(spoken.loss_after != spoken.loss_before);
    CHECK(spoken.divergence > 1e-6);
    Exercise written = turn;
    written.units.clear(); // then the audio tail is not compared
    CHECK_EQ(compare(*model, *changed_lm, Network::lm, written, cancel).divergence, 0.0);
    CHECK_EQ(compare(*model, *changed_lm, Network::lm, written, cancel).positions, 4);
}

TEST(edits_are_counted_from_one_units_to_the_others) {
    constexpr int32_t unit = 5; // the only unit that the other model hears, once
    const std::string path = changed(
        "tiny", [](gguf_context *) {},
        [](ggml_tensor * tensor) {
            if (std::string(tensor->name) == "encoder.ctc.bias") {
                static_cast<float *>(tensor->data)[unit] = 1e6F;
            }
        });
    const auto model = Model::load(golden_path("tiny.gguf"), {1}), monotonous = Model::load(path, {1});
    std::filesystem::remove(std::filesystem::u8path(path));
    CancelToken cancel;
    const Exercise turn = spoken_turn();
    const std::vector<HeardUnit> heard = Session(model, 1).encode(turn.samples, cancel).units;
    const bool common = std::any_of(heard.begin(), heard.end(), [](const HeardUnit & u) { return u.id == unit; });
    const auto count = static_cast<int64_t>(heard.size());
    CHECK(count > 4);
    const Difference to = compare(*model, *monotonous, Network::encoder, turn, cancel);
    const Difference from = compare(*monotonous, *model, Network::encoder, turn, cancel);
    CHECK_EQ(to.units, count);
    CHECK_EQ(from.units, 1);
    CHECK_EQ(to.edits, common ? count - 1 : count);
    CHECK_EQ(from.edits, to.edits);
}

TEST(a_text_is_predicted_id_by_id) {
    const auto model = Model::load(golden_path("lm-llama.gguf"), {2});
    CancelToken cancel;
    Exercise reading;
    for (int i = 0; i < 300; i++) {
        reading.text.push_back(i * 31 % 250);
    }
    const Difference same = compare(*model, *model, Network::lm, reading, cancel);
    CHECK_EQ(same.positions, 299);
    // Compared to the network itself.
    const GgufFile file = GgufFile::open(golden_path("lm-llama.gguf"));
    const Weights weights(file);
    Runner runner(2);
    const Lm lm(file, weights);
    Lm::State state(lm, 512);
    const LmLogits logits = lm.push(runner, state, reading.text.data(), nullptr, 299, Tails::text, true);
    const auto width = static_cast<size_t>(lm.config().text_vocab_size);
    double loss = 0;
    for (size_t i = 0; i < 299; i++) {
        const float * row = logits.text.data() + i * width;
        double sum = 0;
        for (size_t j = 0; j < width; j++) {
            sum += std::exp(double(row[j]));
        }
        loss += std::log(sum) - row[reading.text[i + 1]];
    }
    CHECK_NEAR(same.loss_before / loss, 1, 1e-4); // computed in pieces of other sizes
    CHECK_EQ(measure_heads(*model, Network::lm, reading, cancel).size(), size_t(2));
}

TEST(exercises_that_cannot_be_measured_are_refused) {
    CancelToken cancel;
    const auto llama = Model::load(golden_path("lm-llama.gguf"), {1});
    const auto tiny = Model::load(golden_path("tiny.gguf"), {1});
    const auto whole = Model::load(golden_path("wav2vec2/base.gguf"), {1});
    const Exercise turn = spoken_turn();
    CHECK_THROWS_WITH(measure_heads(*llama, Network::encoder, turn, cancel), "no encoder");
    CHECK_THROWS_WITH(measure_heads(*whole, Network::lm, turn, cancel), "no language model");
    CHECK_THROWS_WITH(measure_heads(*tiny, Network::encoder, {}, cancel), "empty");
    CHECK_THROWS_WITH(measure_heads(*tiny, Network::lm, {}, cancel), "text: expected at least 1 id");
    Exercise reading;
    reading.text = {1};
    CHECK_THROWS_WITH(measure_heads(*llama, Network::lm, reading, cancel), "at least 2 ids");
    reading.text = {1, 1 << 20};
    CHECK_THROWS_WITH(measure_heads(*llama, Network::lm, reading, cancel), "ids below");
    Exercise foreign = turn;
    foreign.units = {100000};
    CHECK_THROWS_WITH(measure_heads(*tiny, Network::lm, foreign, cancel), "units: expected ids below");
    reading.text.assign(3000, 1);
    CHECK_THROWS_WITH(measure_heads(*llama, Network::lm, reading, cancel), "context of 2048");
    CHECK_THROWS_WITH(compare(*llama, *tiny, Network::lm, reading, cancel), "differ");
    CHECK_THROWS_WITH(compare(*tiny, *whole, Network::encoder, turn, cancel), "differ");
    cancel.cancel();
    CHECK_THROWS_WITH(measure_heads(*tiny, Network::encoder, turn, cancel), "cancelled");
    CHECK_THROWS_WITH(compare(*tiny, *tiny, Network::lm, turn, cancel), "cancelled");
}
