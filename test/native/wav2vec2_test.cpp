// Imported speech encoders compared to transformers, stage by stage, and windows compared to the whole.

#include "golden.h"

#include "core/moss.h"

#include <algorithm>
#include <cmath>

using namespace moss;
using namespace moss::test;

namespace {

const std::string folder = "wav2vec2/";

struct Variant {
    const char * name;
    int stages; // 7 convolutions, input, position, 2 blocks, hidden, logits
    double q8_0_cosine;
};

/// Q8_0 rounds a weight by up to 1/254 of the largest one in its block. Rows have only 16 to 64 weights here, so that
/// few errors cancel out; real models have hundreds.
const Variant variants[] = {{"base", 13, 0.999}, {"large", 13, 0.999}, {"hubert", 13, 0.999}, {"data2vec", 13, 0.999}};

EncoderFrames hear(TestModel & model, const std::vector<float> & samples, const Windows & windows = {},
                   Stages * stages = nullptr) {
    EncoderFrames heard;
    model.runner.stages = stages;
    model.listener->hear(model.runner, samples.data(), samples.size(), windows, [&](EncoderFrames && part, int64_t) {
        heard.hidden.insert(heard.hidden.end(), part.hidden.begin(), part.hidden.end());
        heard.logits.insert(heard.logits.end(), part.logits.begin(), part.logits.end());
    });
    model.runner.stages = nullptr;
    return heard;
}

} // namespace

TEST(f32_stages_match_transformers) {
    for (const Variant & variant : variants) {
        const Golden golden(folder + variant.name + ".golden.gguf");
        TestModel model(folder + variant.name + ".gguf");
        Stages stages;
        hear(model, golden.values("input.samples"), {}, &stages);
        // The order of F32 sums differs, and group norm's statistics come from the waveform's covariance in F64.
        CHECK_EQ(golden.check_error(stages, 1e-4), variant.stages);
    }
}

TEST(q8_0_stages_match_transformers) {
    for (const Variant & variant : variants) {
        const Golden golden(folder + variant.name + ".golden.gguf");
        TestModel model(folder + variant.name + "-q8_0.gguf");
        Stages stages;
        hear(model, golden.values("input.samples"), {}, &stages);
        CHECK_EQ(golden.check_cosine(stages, variant.q8_0_cosine), variant.stages);
    }
}

TEST(frames_read_in_pieces_are_those_read_at_once) {
    for (const Variant & variant : variants) {
        std::vector<float> samples(40000);
        for (size_t i = 0; i < samples.size(); i++) {
            samples[i] = 0.3F * std::sin(0.0001F * static_cast<float>(i % 12000) * static_cast<float>(i % 12000));
        }
        TestModel model(folder + variant.name + ".gguf");
        const Frontend::Utterance utterance(model.listener->frontend(), samples.data(), samples.size());
        CHECK_EQ(utterance.frames(), int64_t((40000 - 400) / 320 + 1));
        std::vector<float> whole, pieces;
        utterance.read(model.runner, 0, utterance.frames(), whole);
        for (const auto & [first, count] : std::vector<std::pair<int, int>>{{0, 1}, {1, 5}, {6, 90}, {96, 28}}) {
            utterance.read(model.runner, first, count, pieces);
        }
        CHECK(max_difference(whole, pieces) <=
              1e-6); // the result of a frame does not depend on how many are computed at once
    }
}

TEST(windows_give_every_frame_once_and_in_order) {
    for (const char * name : {"base", "large"}) {
        const Golden golden(folder + std::string(name) + ".golden.gguf");
        std::vector<float> samples;
        for (int i = 0; i < 12; i++) { // 1.7 s
            const std::vector<float> part = golden.values("input.samples");
            samples.insert(samples.end(), part.begin(), part.end());
        }
        TestModel model(folder + std::string(name) + ".gguf");
        const EncoderFrames whole = hear(model, samples);
        CHECK_EQ(whole.logits.size(), size_t(86 * 11));
        for (const Windows windows : {Windows{86, 30}, Windows{70, 30}, Windows{41, 20}, Windows{30, 2}}) {
            const EncoderFrames heard = hear(model, samples, windows);
            CHECK_EQ(heard.logits.size(), whole.logits.size());
            CHECK_EQ(heard.hidden.size(), whole.hidden.size());
            // Attention sees less in a window, so frames differ slightly. A frame in the wrong place would differ as
            // much as any two frames do.
            double error = 0, energy = 0, shifted = 0;
            for (size_t i = 0; i < whole.hidden.size(); i++) {
                error += std::pow(heard.hidden[i] - whole.hidden[i], 2);
                energy += std::pow(whole.hidden[i], 2);
                shifted += std::pow(whole.hidden[(i + 32) % whole.hidden.size()] - whole.hidden[i], 2);
            }
            CHECK(error < 0.1 * shifted);
            CHECK(windows.frames < 86 || error == 0);
            CHECK(error < 0.1 * energy);
        }
    }
}

TEST(an_encoder_alone_is_a_model) {
    const auto model = Model::load(golden_path(folder + "large.gguf"), {1});
    const ModelInfo & info = model->info();
    CHECK_EQ(info.components.size(), size_t(2));
    CHECK_EQ(info.units.size(), size_t(11));
    CHECK_EQ(info.units.front(), "<pad>");
    CHECK(info.ctc && info.ctc->word_delimiter == "|" && info.ctc->lower_case && info.ctc->special.size() == 3);
    CHECK(info.max_input_seconds > 3600);
    Session session(model, 1);
    CancelToken cancel;
    const std::vector<float> samples = Golden(folder + "large.golden.gguf").values("input.samples");
    double seconds = 0;
    const auto progress = [&](double heard) { seconds = heard; };
    const Transcript transcript = session.transcribe(samples, {}, cancel, progress);
    CHECK(transcript.segments.empty());
    CHECK_EQ(transcript.sounds.units.size(), session.encode(samples, cancel).units.size());
    CHECK_NEAR(seconds, static_cast<double>(samples.size()) / 16000, 1e-9);
    CHECK_EQ(info.feature_size, 32);
    CHECK_NEAR(info.frame_seconds, 0.02, 1e-9);
    std::vector<float> features;
    const auto receive = [&](Chunk && chunk) {
        features.insert(features.end(), chunk.features.begin(), chunk.features.end());
        if (chunk.timings) {
            CHECK_NEAR(chunk.timings->input_seconds, seconds, 1e-9);
        }
    };
    session.features(samples, receive, cancel);
    CHECK_EQ(features.size(), ((samples.size() - 400) / 320 + 1) * 32);
    CHECK_THROWS_WITH(session.encode(std::vector<float>(399), cancel), "399 samples");
    cancel.cancel();
    CHECK_THROWS_WITH(session.encode(samples, cancel), "cancelled");
}

TEST(silence_is_heard_as_finite_numbers) {
    for (const Variant & variant : variants) {
        TestModel model(folder + variant.name + ".gguf");
        const EncoderFrames heard = hear(model, std::vector<float>(4000, 0.5F));
        CHECK(std::all_of(heard.logits.begin(), heard.logits.end(), [](float x) { return std::isfinite(x); }));
    }
}
