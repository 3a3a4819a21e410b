// Imported voices compared to transformers' VitsModel, stage by stage, and pieces compared to the whole.

#include "changed.h"
#include "golden.h"
#include "test.h"

#include "kernels/cpu/spline.h"
#include "model/vits_voice.h"

#include <algorithm>
#include <cmath>
#include <functional>

using namespace moss;
using namespace moss::test;

namespace {

struct LoadedVoice {
    explicit LoadedVoice(const std::string & name, int threads = 1)
        : file(GgufFile::open(golden_path(name + ".gguf"))), weights(file), voice(file, weights), runner(threads),
          golden(name + ".golden.gguf"), ids(golden.ids("input.ids")), options(VoiceOptions::of(voice.config())) {
        const GgufFile inputs = GgufFile::open(golden_path(name + ".golden.gguf"));
        options.seed = static_cast<uint64_t>(inputs.get_int("input.seed", 0, INT64_MAX));
        options.speaker = static_cast<int>(inputs.get_int("input.speaker", 0, 9));
    }

    std::vector<float> speak() {
        VitsVoice::Stream stream(voice, runner, ids, options);
        std::vector<float> audio;
        for (std::vector<float> piece; !(piece = stream.next()).empty();) {
            audio.insert(audio.end(), piece.begin(), piece.end());
        }
        CHECK(stream.next().empty());
        int64_t frames = 0;
        for (const int length : stream.durations()) {
            frames += length;
        }
        CHECK_EQ(static_cast<int64_t>(audio.size()), frames * voice.config().hop_length());
        return audio;
    }

    GgufFile file;
    Weights weights;
    VitsVoice voice;
    Runner runner;
    Golden golden;
    std::vector<int32_t> ids;
    VoiceOptions options;
};

/// Only rounding errors: both compute in F32, in different orders. tanh and GELU are the same functions.
constexpr double tolerance = 1e-4;

void check_stages(const std::string & name, int expected) {
    LoadedVoice model(name);
    Stages stages;
    model.runner.stages = &stages;
    const std::vector<float> audio = model.speak();
    model.runner.stages = nullptr;
    CHECK(audio == stages["voice.wave"].values);
    if (model.voice.config().flow_count % 2 == 1) { // the channels of z are in reversed order, by design
        StageData & z = stages["voice.z"];
        for (auto row = z.values.begin(); row != z.values.end(); row += z.ne0) {
            std::reverse(row, row + z.ne0);
        }
    }
    CHECK_EQ(model.golden.check_error(stages, tolerance), expected);
    const std::vector<float> durations = model.golden.values("voice.durations");
    const VitsVoice::Stream stream(model.voice, model.runner, model.ids, model.options);
    CHECK_EQ(stream.durations().size(), durations.size());
    for (size_t i = 0; i < durations.size(); i++) {
        CHECK_EQ(stream.durations()[i], static_cast<int>(durations[i]));
    }
}

} // namespace

TEST(stages_match_transformers_with_stochastic_durations) {
    check_stages("voice-stochastic", 8);
}

TEST(stages_match_transformers_with_plain_durations_and_speakers) {
    check_stages("voice-plain", 8);
}

TEST(stages_match_transformers_with_residual_blocks_of_type_2) {
    check_stages("voice-piper", 8);
}

TEST(pieces_give_the_whole) {
    for (const char * name : {"voice-stochastic", "voice-plain", "voice-piper"}) {
        LoadedVoice model(name);
        model.options.chunk_frames = 4096;
        const std::vector<float> whole = model.speak();
        for (const int chunk : {1, 7, 64}) {
            model.options.chunk_frames = chunk;
            CHECK(max_difference(model.speak(), whole) <=
                  1e-6); // the result of a frame does not depend on how many are computed at once
        }
    }
}

TEST(threads_change_nothing) {
    LoadedVoice one("voice-piper", 1);
    LoadedVoice two("voice-piper", 2);
    CHECK(max_difference(one.speak(), two.speak()) <= 1e-6);
}

TEST(the_first_samples_do_not_wait_for_the_last) {
    LoadedVoice model("voice-piper");
    model.options.chunk_frames = 16;
    VitsVoice::Stream stream(model.voice, model.runner, model.ids, model.options);
    const size_t first = stream.next().size();
    CHECK(first > 0);
    CHECK(first <= 16 * static_cast<size_t>(model.voice.config().hop_length()));
}

TEST(options_change_the_audio) {
    LoadedVoice model("voice-piper");
    const VoiceOptions plain = model.options;
    const std::vector<float> audio = model.speak();
    CHECK(model.speak() == audio); // the audio depends only on the seed
    const auto changed = [&](const std::function<void(VoiceOptions &)> & change) {
        model.options = plain;
        change(model.options);
        return model.speak();
    };
    CHECK(changed([](auto & o) { o.seed++; }) != audio);
    CHECK(changed([](auto & o) { o.speaker = 0; }) != audio);
    CHECK(changed([](auto & o) { o.noise_scale = 0; }) != audio);
    CHECK(changed([](auto & o) { o.noise_w = 0; }) != audio);
    CHECK(changed([](auto & o) { o.speed = 0.5F; }).size() > audio.size());
    CHECK(changed([](auto & o) { o.length_scale = 0.5F; }).size() < audio.size());
    CHECK_EQ(changed([](auto & o) { o.speed = o.length_scale = 2; }).size(), audio.size());
    // Without noise, the seed has no effect.
    const auto calm = [](auto & o) { o.noise_scale = o.noise_w = 0; };
    const std::vector<float> quiet = changed(calm);
    CHECK(changed([&](auto & o) { calm(o), o.seed++; }) == quiet);
}

TEST(ids_have_a_prosody_of_their_own) {
    LoadedVoice model("voice-piper");
    const auto speak = [&](const std::vector<UnitProsody> & prosody, std::vector<int> * durations) {
        VitsVoice::Stream stream(model.voice, model.runner, model.ids, model.options, prosody);
        std::vector<float> audio;
        for (std::vector<float> piece; !(piece = stream.next()).empty();) {
            audio.insert(audio.end(), piece.begin(), piece.end());
        }
        if (durations != nullptr) {
            *durations = stream.durations();
        }
        return audio;
    };
    const std::vector<float> plain = model.speak();
    const std::vector<UnitProsody> neutral(model.ids.size());
    std::vector<int> usual;
    CHECK(speak(neutral, &usual) == plain);
    std::vector<UnitProsody> slow = neutral;
    slow[1].speed = 0.25F;
    std::vector<int> durations;
    speak(slow, &durations);
    for (size_t i = 0; i < usual.size(); i++) {
        CHECK(i == 1 ? durations[i] > usual[i] : durations[i] == usual[i]);
    }
    const std::vector<float> softer = speak(std::vector<UnitProsody>(model.ids.size(), {1, 0, 0.5F}), nullptr);
    CHECK_EQ(softer.size(), plain.size());
    for (size_t i = 0; i < plain.size(); i++) {
        CHECK(std::abs(softer[i] - 0.5F * plain[i]) <= 1e-7F);
    }
    CHECK_THROWS(speak(std::vector<UnitProsody>(model.ids.size(), {1, 2, 1}), nullptr));
    CHECK_THROWS(speak(std::vector<UnitProsody>(1), nullptr));
}

TEST(refuses_what_does_not_fit) {
    LoadedVoice model("voice-piper");
    const auto with = [&](const std::function<void(VoiceOptions &)> & change) {
        VoiceOptions options = model.options;
        change(options);
        return VitsVoice::Stream(model.voice, model.runner, model.ids, options);
    };
    CHECK_THROWS_WITH(with([](auto & o) { o.speaker = 2; }), "voice");
    CHECK_THROWS_WITH(with([](auto & o) { o.speaker = -1; }), "voice");
    CHECK_THROWS_WITH(with([](auto & o) { o.speed = NAN; }), "speed");
    CHECK_THROWS_WITH(with([](auto & o) { o.noise_scale = -1; }), "noiseScale");
    CHECK_THROWS_WITH(with([](auto & o) { o.noise_w = 3; }), "noiseW");
    CHECK_THROWS_WITH(with([](auto & o) { o.length_scale = 0; }), "lengthScale");
    const auto ids = [&](const std::vector<int32_t> & given) {
        return VitsVoice::Stream(model.voice, model.runner, given, model.options);
    };
    CHECK_THROWS_WITH(ids({}), "units");
    CHECK_THROWS_WITH(ids({-1}), "units");
    CHECK_THROWS_WITH(ids({20}), "units");
    CHECK_THROWS_WITH(ids(std::vector<int32_t>(VitsVoice::max_ids + 1, 1)), "units");
    CHECK(!ids({1}).next().empty()); // one id is enough
}

// Otherwise a damaged or hostile file could request years of audio.
TEST(a_sound_of_a_voice_lasts_ten_seconds_at_most) {
    const std::string path = changed(
        "voice-plain", [](gguf_context *) {},
        [](ggml_tensor * tensor) {
            if (std::string(tensor->name) == "voice.duration.proj.bias") {
                static_cast<float *>(tensor->data)[0] = 12; // e^12 frames
            }
        });
    const GgufFile file = GgufFile::open(path);
    const Weights weights(file);
    const VitsVoice voice(file, weights);
    std::filesystem::remove(std::filesystem::u8path(path));
    Runner runner(1);
    const VitsVoice::Stream stream(voice, runner, {1, 2}, VoiceOptions::of(voice.config()));
    CHECK(stream.durations() == std::vector<int>(2, 10 * voice.config().sample_rate / voice.config().hop_length()));
}

TEST(the_inverse_spline_inverts_the_spline) {
    // With one bin between knots with derivatives of 1, the spline is the identity, also beyond its ends.
    Runner runner(1);
    const std::vector<float> places = {-7, -5, -2.5F, 0, 1, 4.9F, 5, 8};
    const std::vector<float> parameters(2 * places.size(), 0.3F);
    std::vector<float> found;
    Graph g(runner);
    ggml_tensor * x = g.input(GGML_TYPE_F32, {1, 8}, places.data());
    ggml_tensor * p = g.input(GGML_TYPE_F32, {2, 8}, parameters.data());
    SplineShape shape;
    shape.bins = 1;
    g.output(inverse_spline(g, x, p, shape), found);
    g.run();
    CHECK(max_difference(found, places) <= 1e-5);
    shape.bins = 2;
    CHECK_THROWS_WITH(inverse_spline(g, x, p, shape), "do not fit");
}
