// Front end, tone module, encoder and aligner compared to their PyTorch twins, and pieces of any size compared to the
// whole.

#include "golden.h"

#include <algorithm>

using namespace moss;
using namespace moss::test;

namespace {

/// Hears an utterance that is pushed in pieces of `sizes` samples, repeatedly in this order.
Heard hear(TestModel & model, const std::vector<float> & samples, int chunk_size, std::vector<size_t> sizes,
           Stages * stages = nullptr) {
    Listener::State state(*model.listener, chunk_size);
    Heard heard;
    model.runner.stages = stages;
    for (size_t begin = 0, i = 0; begin < samples.size(); i++) {
        const size_t count = std::min(sizes[i % sizes.size()], samples.size() - begin);
        model.listener->push(model.runner, state, samples.data() + begin, count, heard);
        begin += count;
    }
    model.listener->finish(model.runner, state, heard);
    model.runner.stages = nullptr;
    return heard;
}

void check_same(const Heard & a, const Heard & b, double tolerance) {
    CHECK(max_difference(a.embeddings, b.embeddings) <= tolerance);
    CHECK(max_difference(a.encoder.hidden, b.encoder.hidden) <= tolerance);
    CHECK(max_difference(a.encoder.logits, b.encoder.logits) <= tolerance);
    CHECK(max_difference(a.tone.log_f0, b.tone.log_f0) <= tolerance);
    CHECK(max_difference(a.tone.voicing, b.tone.voicing) <= tolerance);
    CHECK(max_difference(a.tone.logits, b.tone.logits) <= tolerance);
}

} // namespace

TEST(f32_stages_match_the_twin) {
    const Golden golden("tiny.golden.gguf");
    TestModel model("tiny.gguf");
    Stages stages;
    hear(model, golden.values("input.samples"), 4, {100000}, &stages);
    // 6 convolutions, 5 of the tone module, input, position, 2 blocks, hidden and logits, 3 of the aligner
    CHECK_EQ(golden.check_error(stages, 1e-4), 20);
}

TEST(q8_0_stages_match_the_twin) {
    const Golden golden("tiny.golden.gguf");
    TestModel model("tiny-q8_0.gguf");
    Stages stages;
    hear(model, golden.values("input.samples"), 4, {100000}, &stages);
    CHECK_EQ(golden.check_cosine(stages, 0.999), 20);
}

TEST(any_push_sizes_give_the_same) {
    const Golden golden("tiny.golden.gguf");
    const std::vector<float> samples = golden.values("input.samples");
    for (const char * name : {"tiny.gguf", "tiny-q8_0.gguf"}) {
        TestModel model(name);
        const Heard whole = hear(model, samples, 4, {samples.size()});
        CHECK_EQ(whole.embeddings.size(), 6U * 32U);
        CHECK_EQ(whole.encoder.hidden.size(), 24U * 32U);
        // The required tolerance is 1e-4. Only matrix kernels that depend on the number of columns can cause a
        // difference.
        const double tolerance = name == std::string("tiny.gguf") ? 2e-5 : 1e-4;
        for (const std::vector<size_t> & sizes :
             std::vector<std::vector<size_t>>{{1}, {7, 3}, {319}, {320}, {321}, {777}, {1280}, {2561, 1, 4000}}) {
            check_same(hear(model, samples, 4, sizes), whole, tolerance);
        }
    }
}

TEST(chunk_sizes_that_end_within_a_chunk) {
    const Golden golden("tiny.golden.gguf");
    const std::vector<float> samples = golden.values("input.samples");
    TestModel model("tiny.gguf");
    for (const int chunk : {1, 5, 16, 100}) { // of 24 frames: the last chunk of 5, 16 and 100 is incomplete
        check_same(hear(model, samples, chunk, {401}), hear(model, samples, chunk, {samples.size()}), 2e-5);
    }
}

TEST(full_context_matches_the_twin) {
    const Golden golden("tiny.golden.gguf");
    const std::vector<float> samples = golden.values("input.samples");
    TestModel model("tiny.gguf");
    const std::vector<float> expected = golden.values("encoder.full.hidden");
    CHECK(max_difference(hear(model, samples, 0, {samples.size()}).encoder.hidden, expected) <= 2e-4);
    CHECK(max_difference(hear(model, samples, 0, {123}).encoder.hidden, expected) <= 2e-4);
    // A chunk with the whole utterance has full context.
    CHECK(max_difference(hear(model, samples, 24, {500}).encoder.hidden, expected) <= 2e-4);
}

TEST(an_utterance_after_another_starts_afresh) {
    const Golden golden("tiny.golden.gguf");
    const std::vector<float> samples = golden.values("input.samples");
    TestModel model("tiny.gguf");
    Listener::State state(*model.listener, 4);
    Heard first, second;
    model.listener->push(model.runner, state, samples.data(), 3333, first);
    state.clear();
    model.listener->push(model.runner, state, samples.data(), samples.size(), second);
    model.listener->finish(model.runner, state, second);
    check_same(second, hear(model, samples, 4, {samples.size()}), 2e-5);
}

TEST(a_cancelled_push_throws_aborted) {
    TestModel model("tiny.gguf");
    Listener::State state(*model.listener, 4);
    Heard heard;
    model.runner.cancel = true;
    CHECK_THROWS_WITH(model.listener->push(model.runner, state, std::vector<float>(64000, 0.1f).data(), 64000, heard),
                      "cancelled");
}

TEST(whole_models_match_the_twin) {
    const Golden golden("whole.golden.gguf");
    const std::vector<float> samples = golden.values("input.samples");
    TestModel model("whole.gguf");
    CHECK(!model.listener->streamable());
    CHECK_THROWS_WITH(Listener::State(*model.listener, 4), "whole utterances");
    Stages stages;
    hear(model, samples, 0, {1000}, &stages);
    CHECK_EQ(golden.check_error(stages, 1e-4), 12);
    TestModel quantized("whole-q8_0.gguf");
    stages.clear();
    hear(quantized, samples, 0, {samples.size()}, &stages);
    CHECK_EQ(golden.check_cosine(stages, 0.999), 12);
}

TEST(silence_and_short_input) {
    TestModel model("tiny.gguf");
    for (const size_t count : {size_t(1), size_t(320), size_t(5000)}) {
        const Heard heard = hear(model, std::vector<float>(count, 0.0f), 4, {count});
        CHECK(heard.embeddings.size() >= 32U);
        CHECK(std::all_of(heard.embeddings.begin(), heard.embeddings.end(), [](float x) { return std::isfinite(x); }));
    }
    TestModel whole("whole.gguf");
    CHECK_THROWS_WITH(hear(whole, std::vector<float>(10, 0.0f), 0, {10}), "samples");
}

// Embeddings do not depend on each other. So those of a long utterance, which is computed in more than one graph, must
// be those of its pieces (which are compared to the twin above).
TEST(embeddings_of_long_speech_are_those_of_its_pieces) {
    const Golden golden("tiny.golden.gguf");
    const std::vector<float> piece = golden.values("input.samples");
    std::vector<float> samples;
    while (samples.size() < 90 * 16000) {
        samples.insert(samples.end(), piece.begin(), piece.end());
    }
    TestModel model("tiny.gguf");
    const Aligner & aligner = *model.listener->aligner();
    const Heard streamed = hear(model, samples, 4, {7000});
    const size_t size = 32, frames = streamed.encoder.hidden.size() / size, row = 4;
    CHECK(frames > 1024 * row);
    CHECK_EQ(streamed.embeddings.size(), frames / row * size);
    std::vector<float> pieces, at_once;
    for (size_t i = 0; i + row <= frames; i += row) {
        aligner.push(model.runner, streamed.encoder.hidden.data() + i * size, static_cast<int>(row), pieces);
    }
    CHECK(max_difference(streamed.embeddings, pieces) <= 1e-5);
    aligner.push(model.runner, streamed.encoder.hidden.data(), static_cast<int>(frames), at_once);
    CHECK(max_difference(at_once, pieces) <= 1e-5);
}
