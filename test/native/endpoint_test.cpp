// The end of a turn against its PyTorch twin, the files that are refused, and the encoder's states of a chunk that is
// not complete.

#include "changed.h"

#include "core/moss.h"
#include "model/endpoint.h"

using namespace moss;
using namespace moss::test;

namespace {

constexpr int encoder_size = 32; // of tiny.gguf

struct TestEndpoint {
    explicit TestEndpoint(const std::string & path)
        : file(GgufFile::open(path)), weights(file), runner(std::make_shared<ThreadPools>(1)),
          endpoint(file, weights, encoder_size) {}

    GgufFile file;
    Weights weights;
    Runner runner;
    Endpoint endpoint;
};

std::string endpoint_refusal(const KeyChange & change) {
    return network_refusal<TestEndpoint>("endpoint", change);
}

} // namespace

TEST(endpoint_stages_match_the_twin) {
    TestEndpoint model(golden_path("endpoint.gguf"));
    const Golden golden("endpoint.golden.gguf");
    Stages stages;
    model.runner.stages = &stages;
    const std::vector<float> states = golden.values("input.states"); // more than it sees
    const float probability = model.endpoint(model.runner, states);
    model.runner.stages = nullptr;
    CHECK_EQ(golden.check_error(stages, 1e-5), 3);
    CHECK(max_difference({probability}, golden.values("whole.probability")) <= 1e-5);
}

TEST(endpoint_tells_of_a_few_states) {
    TestEndpoint model(golden_path("endpoint.gguf"));
    const Golden golden("endpoint.golden.gguf");
    std::vector<float> states = golden.values("input.states");
    states.resize(size_t{5} * encoder_size);
    CHECK(max_difference({model.endpoint(model.runner, states)}, golden.values("few.probability")) <= 1e-5);
    CHECK_EQ(model.endpoint(model.runner, {}), 0.0F);
}

TEST(endpoint_keys_are_checked) {
    for (const char * field : {"frames", "hidden", "kernel_size", "heads", "feed_forward"}) {
        const std::string key = std::string("moss-speech.endpoint.") + field;
        check_refusal(endpoint_refusal([&](gguf_context * g) { gguf_remove_key(g, key.c_str()); }), key);
        for (const uint32_t value : {0U, 5U, 1U << 30}) { // 5 is in the range, but not that of the tensors
            check_refusal(endpoint_refusal([&](gguf_context * g) { gguf_set_val_u32(g, key.c_str(), value); }),
                          value == 5 ? "endpoint." : key);
        }
    }
}

TEST(a_peek_has_the_states_of_a_shorter_last_chunk_and_changes_nothing) {
    TestModel model("tiny.gguf");
    const Encoder & encoder = model.listener->encoder();
    const int size = encoder.config().embedding_length, chunk = 8;
    const int feature_size = model.listener->frontend().feature_size();
    std::vector<float> features(static_cast<size_t>(3 * chunk * feature_size));
    for (size_t i = 0; i < features.size(); i++) {
        features[i] = static_cast<float>(i * 7919 % 101) / 50 - 1;
    }
    const auto at = [&](int frame) { return features.data() + frame * feature_size; };
    Encoder::State whole(encoder, chunk), peeked(encoder, chunk);
    EncoderFrames all, frames;
    for (int first = 0; first < 3 * chunk; first += chunk) {
        for (const int count : {1, 5, chunk}) {
            Encoder::State cut(encoder, chunk); // the same stream, which ends here
            EncoderFrames before, last, ahead;
            for (int i = 0; i < first; i += chunk) {
                encoder.push(model.runner, cut, at(i), nullptr, chunk, before);
            }
            encoder.push(model.runner, cut, at(first), nullptr, count, last);
            encoder.peek(model.runner, peeked, at(first), nullptr, count, ahead);
            CHECK_EQ(ahead.hidden.size(), static_cast<size_t>(count * size));
            CHECK(max_difference(ahead.hidden, last.hidden) <= 1e-6);
        }
        encoder.push(model.runner, whole, at(first), nullptr, chunk, all);
        encoder.push(model.runner, peeked, at(first), nullptr, chunk, frames);
    }
    CHECK(frames.hidden == all.hidden);
}
