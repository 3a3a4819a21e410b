// The decoder with a separate waveform generator compared to its PyTorch twins, stage by stage, and a stream in pieces
// compared to the whole utterance.

#include "changed.h"
#include "golden.h"
#include "test.h"

#include "core/moss.h"
#include "model/feature_decoder.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

using namespace moss;
using namespace moss::test;

namespace {

/// How far two computations of the same speech may be apart, of its range. The phase of the source sums up what the
/// pitch is off by the order of sums, which pieces of other sizes have: 0.3e-4 with AVX2, 1.2e-4 with AVX-512.
constexpr double rounding = 5e-4;

struct FeatureModel {
    explicit FeatureModel(const std::string & name)
        : file(GgufFile::open(golden_path(name))), weights(file), decoder(file, weights), runner(1) {}

    GgufFile file;
    Weights weights;
    FeatureDecoder decoder;
    Runner runner;
};

/// The input that the golden file was made with.
struct Case {
    Case() : golden("feature-decoder.golden.gguf"), units(golden.ids("input.units")) {
        const GgufFile file = GgufFile::open(golden_path("feature-decoder.golden.gguf"));
        options.voice = 1;
        options.speed = static_cast<float>(file.get_float("input.speed", 0, 1));
        options.emotion = static_cast<int>(file.get_int("input.emotion", 0, 100));
    }

    Golden golden;
    std::vector<int32_t> units;
    FeatureDecoderOptions options;
};

/// The audio of an utterance whose units are pushed `step` at a time.
std::vector<float> speak(FeatureModel & model, const Case & c, const FeatureDecoderOptions & options, size_t step) {
    FeatureDecoder::Stream stream(model.decoder, model.runner, options);
    std::vector<float> audio;
    const auto take = [&] {
        for (std::vector<float> some; !(some = stream.next()).empty();) {
            audio.insert(audio.end(), some.begin(), some.end());
        }
    };
    for (size_t i = 0; i < c.units.size(); i += step) {
        stream.push(c.units.data() + i, std::min(step, c.units.size() - i));
        take();
    }
    stream.finish();
    take();
    int frames = 0;
    for (const int length : stream.durations()) {
        frames += length;
    }
    if (options.pause == 1) { // else the generator reads silent frames more or less often
        CHECK_EQ(static_cast<int>(audio.size()), frames * model.decoder.config().hop_length);
    }
    return audio;
}

} // namespace

TEST(stages_match_the_twins) {
    const Case c;
    FeatureModel model("feature-decoder.gguf");
    Stages stages;
    model.runner.stages = &stages;
    const std::vector<float> audio = speak(model, c, c.options, c.units.size());
    CHECK(audio == stages["generator.wave"].values);
    // F32 sums are added in another order, and the phase of the sines accumulates the errors of the pitch.
    CHECK_EQ(c.golden.check_error(stages, 1e-3), 12);
}

TEST(quantized_features_are_close) {
    const Case c;
    FeatureModel model("feature-decoder-q8_0.gguf");
    Stages stages;
    model.runner.stages = &stages;
    speak(model, c, c.options, c.units.size());
    // The audio cannot be compared, because its phase accumulates the rounding errors of the pitch.
    for (auto stage = stages.begin(); stage != stages.end();) {
        stage = stage->first.rfind("generator.", 0) == 0 ? stages.erase(stage) : std::next(stage);
    }
    CHECK_EQ(c.golden.check_cosine(stages, 0.999), 5);
}

TEST(pieces_are_the_whole) {
    const Case c;
    FeatureModel model("feature-decoder.gguf");
    for (const float pause : {1.0F, 0.0F, 2.5F}) {
        FeatureDecoderOptions options = c.options;
        options.pause = pause;
        const std::vector<float> whole = speak(model, c, options, c.units.size());
        const auto [low, high] = std::minmax_element(whole.begin(), whole.end());
        for (const size_t step : {1, 3, 8}) {
            for (const int chunk : {1, 5, 64}) {
                options.chunk_frames = chunk;
                const std::vector<float> pieces = speak(model, c, options, step);
                CHECK_EQ(pieces.size(), whole.size());
                CHECK(max_difference(pieces, whole) <= rounding * (*high - *low));
            }
        }
    }
}

/// The root mean square of every 20 ms at 24 kHz.
std::vector<float> levels(const std::vector<float> & audio) {
    constexpr size_t window = 480;
    std::vector<float> result;
    for (size_t start = 0; start + window <= audio.size(); start += window) {
        const double sum =
            std::inner_product(audio.data() + start, audio.data() + start + window, audio.data() + start, 0.0);
        result.push_back(static_cast<float>(std::sqrt(sum / window)));
    }
    return result;
}

// In F32 pieces are the whole to the sample (above). nano's weights are of 8 bits, where a rounding error before a
// layer makes some of its inputs a step larger or smaller, and so F0; the phase of the source adds this up. So levels
// are compared, which show a gap, a click or a frame too many.
TEST(nanos_voice_in_pieces_is_the_whole) {
    FeatureModel model("../../models/nano.gguf");
    std::vector<int32_t> units;
    for (int32_t i = 0; i < 14; i++) {
        units.push_back(5 + i * 7 % 60);
    }
    std::vector<UnitProsody> prosody(units.size());
    for (size_t i = 4; i < 10; i++) {
        prosody[i] = {1.2F, 4, 1.5F};
    }
    const auto speak = [&](float pause, int chunk) {
        FeatureDecoderOptions options;
        options.pause = pause;
        options.chunk_frames = chunk;
        FeatureDecoder::Stream stream(model.decoder, model.runner, options);
        stream.push(units.data(), units.size(), prosody.data());
        stream.finish();
        std::vector<float> audio;
        for (std::vector<float> some; !(some = stream.next()).empty();) {
            audio.insert(audio.end(), some.begin(), some.end());
        }
        return audio;
    };
    const auto check = [&](const std::vector<float> & pieces, const std::vector<float> & whole) {
        CHECK_EQ(pieces.size(), whole.size());
        CHECK(max_difference(levels(pieces), levels(whole)) <= 0.01);
    };
    const std::vector<float> whole = speak(1, 4096);
    check(speak(1, 5), whole);
    // Silent frames are left out with 0, and doubled with 2.
    const std::vector<float> dense = speak(0, 4096);
    const std::vector<float> slow = speak(2, 4096);
    CHECK(dense.size() < whole.size());
    CHECK_EQ(2 * whole.size(), dense.size() + slow.size());
    check(speak(2, 32), slow);
}

TEST(options_have_their_effects) {
    const Case c;
    FeatureModel model("feature-decoder.gguf");
    const auto with = [&](const std::function<void(FeatureDecoderOptions &)> & change) {
        FeatureDecoderOptions options = c.options;
        change(options);
        return speak(model, c, options, c.units.size());
    };
    const std::vector<float> audio = with([](FeatureDecoderOptions &) {});
    CHECK(with([](FeatureDecoderOptions & o) { o.voice = 0; }) != audio);
    CHECK(with([](FeatureDecoderOptions & o) { o.emotion = 0; }) != audio);
    CHECK(with([](FeatureDecoderOptions & o) { o.speed = 1; }).size() < audio.size());
    CHECK_THROWS_WITH(with([](FeatureDecoderOptions & o) { o.pause = 5; }), "pause");
    CHECK_THROWS_WITH(with([](FeatureDecoderOptions & o) { o.voice = 2; }), "no such voice");
    CHECK_THROWS_WITH(with([](FeatureDecoderOptions & o) { o.emotion = -1; }), "no such emotion");
    CHECK_THROWS_WITH(with([](FeatureDecoderOptions & o) { o.speed = 9; }), "speed");
    CHECK_THROWS_WITH(with([](FeatureDecoderOptions & o) { o.chunk_frames = 0; }), "chunk_frames");
}

TEST(a_decoder_and_a_generator_that_do_not_fit_are_refused) {
    const auto refused = [](const KeyChange & change, const std::string & part) {
        check_refusal(refusal("feature-decoder", change), part);
    };
    const auto number = [](const char * key, uint32_t value) {
        return [=](gguf_context * g) { gguf_set_val_u32(g, key, value); };
    };
    refused(number("moss-speech.decoder.sample_rate", 8000), "moss-speech.generator.sample_rate");
    refused(number("moss-speech.decoder.hop_length", 50), "moss-speech.decoder.hop_length");
    refused(number("moss-speech.decoder.feature_kernel", 4), "feature_kernel");
    refused(number("moss-speech.decoder.feature_size", 21), "decoder.features.out");
    const auto gains = [](std::vector<float> values) {
        return [=](gguf_context * g) {
            gguf_set_arr_data(g, "moss-speech.decoder.voice_gains", GGUF_TYPE_FLOAT32, values.data(), values.size());
        };
    };
    refused(gains({1, 1, 1}), "moss-speech.decoder.voice_gains");
    refused(gains({1, 0}), "moss-speech.decoder.voice_gains");
    refused(
        [](gguf_context * g) {
            const char * names[] = {"anna", "otto"};
            gguf_set_arr_str(g, "moss-speech.generator.voices", names, 2);
        },
        "the decoder's voice mei");
}

TEST(a_bundle_speaks_through_it) {
    const Case c;
    const auto model = Model::load(golden_path("feature-decoder.gguf"), {1});
    CHECK_EQ(model->info().sample_rate, 16000);
    CHECK_EQ(model->info().voices.size(), 2U);
    CHECK(std::any_of(model->info().components.begin(), model->info().components.end(),
                      [](const ComponentInfo & component) { return component.name == "generator"; }));
    Session session(model, 1);
    Speaking speaking;
    speaking.voice = c.options.voice;
    speaking.speed = c.options.speed;
    speaking.emotion = c.options.emotion;
    std::vector<float> audio;
    CancelToken cancel;
    session.speak(
        c.units, speaking, [&](Chunk && chunk) { audio.insert(audio.end(), chunk.audio.begin(), chunk.audio.end()); },
        cancel);
    FeatureModel alone("feature-decoder.gguf");
    const std::vector<float> expected = speak(alone, c, c.options, c.units.size());
    CHECK_EQ(audio.size(), expected.size());
    const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
    CHECK(max_difference(audio, expected) <= rounding * (*high - *low));
}
