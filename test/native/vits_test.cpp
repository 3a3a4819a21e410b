// The decoder compared to its PyTorch twin, stage by stage, and a stream in pieces compared to the whole.

#include "changed.h"
#include "golden.h"
#include "test.h"

#include "model/noise.h"
#include "model/vits_decoder.h"

#include <algorithm>
#include <cmath>
#include <functional>

using namespace moss;
using namespace moss::test;

namespace {

struct DecoderModel {
    explicit DecoderModel(const std::string & name, int threads = 1)
        : file(GgufFile::open(golden_path(name))), weights(file), decoder(file, weights), runner(threads) {}

    GgufFile file;
    Weights weights;
    VitsDecoder decoder;
    Runner runner;
};

/// The input with which a golden file was made.
struct Case {
    explicit Case(const std::string & name)
        : golden(name), units(golden.ids("input.units")), file(GgufFile::open(golden_path(name))) {
        options.voice = 1;
        options.seed = static_cast<uint64_t>(file.get_int("input.seed", 0, INT64_MAX));
        options.speed = static_cast<float>(file.get_float("input.speed", 0, 1));
        options.emotion = static_cast<int>(file.get_int("input.emotion", 0, 100));
    }

    Golden golden;
    std::vector<int32_t> units;
    DecoderOptions options;
    GgufFile file;
};

std::vector<float> append(std::vector<float> a, const std::vector<float> & b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

/// The audio of a stream to which `step` units are pushed at a time.
std::vector<float> stream(DecoderModel & model, const std::vector<int32_t> & units, const DecoderOptions & options,
                          size_t step) {
    VitsDecoder::Stream stream(model.decoder, model.runner, options);
    std::vector<float> audio;
    for (size_t i = 0; i < units.size(); i += step) {
        audio = append(audio, stream.push(units.data() + i, std::min(step, units.size() - i)));
    }
    return append(audio, stream.finish());
}

Stages run(DecoderModel & model, const Case & c) {
    Stages stages;
    model.runner.stages = &stages;
    VitsDecoder::Stream stream(model.decoder, model.runner, c.options);
    std::vector<float> audio = stream.push(c.units);
    audio = append(audio, stream.finish());
    model.runner.stages = nullptr;
    CHECK(audio == stages["decoder.wave"].values);
    const std::vector<float> durations = c.golden.values("decoder.durations");
    CHECK_EQ(stream.durations().size(), durations.size());
    for (size_t i = 0; i < durations.size(); i++) {
        CHECK_EQ(stream.durations()[i], static_cast<int>(durations[i]));
    }
    return stages;
}

/// With an odd number of flows, the channels of z are in reversed order, by design.
void reverse_z(Stages & stages) {
    StageData & z = stages["decoder.z"];
    for (auto row = z.values.begin(); row != z.values.end(); row += z.ne0) {
        std::reverse(row, row + z.ne0);
    }
}

} // namespace

TEST(stages_match_the_twin) {
    const Case c("decoder.golden.gguf");
    DecoderModel model("tiny.gguf");
    CHECK_EQ(c.golden.check_error(run(model, c), 1e-4), 15);
}

TEST(stages_match_the_twin_of_an_odd_decoder) {
    const Case c("decoder-odd.golden.gguf");
    DecoderModel model("decoder-odd.gguf");
    Stages stages = run(model, c);
    reverse_z(stages);
    CHECK_EQ(c.golden.check_error(stages, 1e-4), 13);
}

TEST(quantized_stages_are_close) {
    const Case c("decoder.golden.gguf");
    DecoderModel model("tiny-q8_0.gguf");
    Stages stages = run(model, c);
    // The phase of the pulses is accumulated from the pitch, so that a difference of a hundredth of a semitone soon
    // becomes a whole turn.
    for (const char * name : {"decoder.gen.source", "decoder.gen.spectrum", "decoder.wave"}) {
        CHECK_EQ(stages.erase(name), 1U);
    }
    CHECK_EQ(c.golden.check_cosine(stages, 0.999), 12);
}

TEST(pieces_give_the_whole) {
    for (const std::string name : {"tiny", "decoder-odd"}) {
        Case c(name == "tiny" ? "decoder.golden.gguf" : name + ".golden.gguf");
        DecoderModel model(name + ".gguf");
        for (const size_t length : {1, 2, 7, 90}) {
            std::vector<int32_t> units;
            for (size_t i = 0; i < length; i++) {
                units.push_back(c.units[i % c.units.size()]);
            }
            c.options.chunk_frames = 4096;
            const std::vector<float> whole = stream(model, units, c.options, length);
            CHECK(!whole.empty());
            for (const int chunk : {1, 7, 64}) {
                for (const size_t step : {1, 3, 40}) {
                    c.options.chunk_frames = chunk;
                    CHECK(max_difference(stream(model, units, c.options, step), whole) <= 1e-4);
                }
            }
        }
    }
}

TEST(a_units_audio_needs_no_more_than_the_lookahead) {
    const Case c("decoder.golden.gguf");
    DecoderModel model("tiny.gguf");
    // Two replies that differ only in their last unit: the audio is equal except near the end.
    std::vector<int32_t> units;
    for (size_t i = 0; i < 200; i++) {
        units.push_back(c.units[i % c.units.size()]);
    }
    VitsDecoder::Stream one(model.decoder, model.runner, c.options);
    VitsDecoder::Stream two(model.decoder, model.runner, c.options);
    const std::vector<float> early = one.push(units);
    CHECK(early.size() > 100 * static_cast<size_t>(model.decoder.config().hop_length));
    CHECK(static_cast<int>(one.durations().size()) == 1 + 200 - model.decoder.lookahead_units());
    units.back() = units.back() == 5 ? 6 : 5;
    CHECK(max_difference(two.push(units), early) <= 1e-6);
}

TEST(options_change_the_audio) {
    const Case c("decoder.golden.gguf");
    DecoderModel model("tiny.gguf");
    DecoderOptions options;
    const std::vector<float> plain = stream(model, c.units, options, 99);
    CHECK(max_difference(stream(model, c.units, options, 99), plain) == 0); // the audio depends only on the seed
    const auto differs = [&](const DecoderOptions & changed) {
        const std::vector<float> other = stream(model, c.units, changed, 99);
        return other.size() != plain.size() || max_difference(other, plain) > 1e-4;
    };
    DecoderOptions changed = options;
    changed.voice = 1;
    CHECK(differs(changed));
    changed = options;
    changed.emotion = 1;
    CHECK(differs(changed));
    changed = options;
    changed.seed = 1;
    CHECK(differs(changed));
    changed = options;
    changed.speed = 0.5F;
    CHECK(stream(model, c.units, changed, 99).size() > plain.size());
}

TEST(units_have_a_prosody_of_their_own) {
    const Case c("decoder.golden.gguf");
    DecoderModel model("tiny.gguf");
    const DecoderOptions options;
    const auto speak = [&](const std::vector<UnitProsody> & prosody, size_t step, std::vector<int> * durations) {
        VitsDecoder::Stream stream(model.decoder, model.runner, options);
        std::vector<float> audio;
        for (size_t i = 0; i < c.units.size(); i += step) {
            const size_t count = std::min(step, c.units.size() - i);
            audio = append(audio, stream.push(c.units.data() + i, count, prosody.data() + i));
        }
        audio = append(audio, stream.finish());
        if (durations != nullptr) {
            *durations = stream.durations();
        }
        return audio;
    };
    const std::vector<UnitProsody> neutral(c.units.size());
    const std::vector<float> plain = stream(model, c.units, options, 99);
    std::vector<int> usual;
    CHECK(speak(neutral, 99, &usual) == plain);

    // A unit that is spoken slowly: only that unit has more frames.
    std::vector<UnitProsody> slow = neutral;
    const size_t edge = usual.size() > c.units.size() ? 1 : 0; // an edge unit precedes the first one
    const auto first = usual.begin() + static_cast<std::ptrdiff_t>(edge);
    const auto longest = std::max_element(first, first + static_cast<std::ptrdiff_t>(c.units.size()));
    const auto chosen = static_cast<size_t>(longest - usual.begin());
    slow[chosen - edge].speed = 0.25F;
    std::vector<int> durations;
    speak(slow, 99, &durations);
    CHECK_EQ(durations.size(), usual.size());
    for (size_t i = 0; i < usual.size(); i++) {
        const bool copied = edge == 1 && (i == 0 || i + 1 == usual.size()); // with the neighbour's prosody
        CHECK(i == chosen ? durations[i] > usual[i] : copied || durations[i] == usual[i]);
    }

    // Half as loud: exactly half of each sample.
    const std::vector<UnitProsody> soft(c.units.size(), {1, 0, 0.5F});
    const std::vector<float> softer = speak(soft, 99, nullptr);
    CHECK_EQ(softer.size(), plain.size());
    for (size_t i = 0; i < plain.size(); i++) {
        CHECK(std::abs(softer[i] - 0.5F * plain[i]) <= 1e-7F);
    }
    const std::vector<UnitProsody> silent(c.units.size(), {1, 0, 0});
    const std::vector<float> nothing = speak(silent, 99, nullptr);
    CHECK(std::all_of(nothing.begin(), nothing.end(), [](float value) { return value == 0; }));

    // Higher: another sound of the same length, however the units are pushed.
    std::vector<UnitProsody> high = neutral;
    for (size_t i = c.units.size() / 2; i < high.size(); i++) {
        high[i] = {1, 5, 2};
    }
    const std::vector<float> higher = speak(high, 99, nullptr);
    CHECK_EQ(higher.size(), plain.size());
    CHECK(max_difference(higher, plain) > 1e-4);
    // Half a semitone: with random weights, rounding errors would change the number of harmonics if the pitch were much
    // higher.
    for (UnitProsody & p : high) {
        p.pitch /= 10;
    }
    const std::vector<float> whole = speak(high, 99, nullptr);
    for (const size_t step : {1, 3}) {
        CHECK(max_difference(speak(high, step, nullptr), whole) <= 1e-4);
    }
}

// Otherwise a damaged or hostile file could request years of audio.
TEST(a_unit_lasts_ten_seconds_at_most) {
    const std::string path = changed(
        "tiny", [](gguf_context *) {},
        [](ggml_tensor * tensor) {
            if (std::string(tensor->name) == "decoder.duration.proj.bias") {
                static_cast<float *>(tensor->data)[0] = 8; // e^8 frames
            }
        });
    const GgufFile file = GgufFile::open(path);
    const Weights weights(file);
    const VitsDecoder decoder(file, weights);
    std::filesystem::remove(std::filesystem::u8path(path));
    Runner runner(1);
    VitsDecoder::Stream stream(decoder, runner, DecoderOptions());
    const int32_t unit = 3;
    stream.push(&unit, 1);
    stream.finish();
    const int most = 10 * decoder.config().sample_rate / decoder.config().hop_length;
    CHECK_EQ(*std::max_element(stream.durations().begin(), stream.durations().end()), most);
}

TEST(refuses_what_does_not_fit) {
    DecoderModel model("tiny.gguf");
    const auto with = [&](const std::function<void(DecoderOptions &)> & change) {
        DecoderOptions options;
        change(options);
        return VitsDecoder::Stream(model.decoder, model.runner, options);
    };
    CHECK_THROWS_WITH(with([](auto & o) { o.voice = 2; }), "voice");
    CHECK_THROWS_WITH(with([](auto & o) { o.voice = -1; }), "voice");
    CHECK_THROWS_WITH(with([](auto & o) { o.emotion = 99; }), "emotion");
    CHECK_THROWS_WITH(with([](auto & o) { o.speed = NAN; }), "speed");
    CHECK_THROWS_WITH(with([](auto & o) { o.noise_scale = -1; }), "noise_scale");
    CHECK_THROWS_WITH(with([](auto & o) { o.chunk_frames = 0; }), "chunk_frames");
    VitsDecoder::Stream stream(model.decoder, model.runner, {});
    CHECK_THROWS_WITH(stream.push({-1}), "units");
    CHECK_THROWS_WITH(stream.push({100000}), "units");
    CHECK(stream.push(std::vector<int32_t>{}).empty());
    CHECK(stream.finish().empty());
    CHECK_THROWS_WITH(stream.push({1}), "finished");
    CHECK_THROWS_WITH(stream.finish(), "finished");
}

TEST(noise_is_standard_and_depends_on_its_place_only) {
    constexpr int64_t channels = 6;
    double sum = 0;
    double squares = 0;
    constexpr int64_t frames = 20000;
    std::vector<float> values(channels);
    for (int64_t frame = 0; frame < frames; frame++) {
        normal_noise(42, NoiseUse::prior, frame, channels, values.data());
        for (const float value : values) {
            sum += value;
            squares += static_cast<double>(value) * value;
        }
    }
    CHECK_NEAR(sum / (channels * frames), 0, 0.01);
    CHECK_NEAR(squares / (channels * frames), 1, 0.01);
    std::vector<float> again(channels);
    normal_noise(42, NoiseUse::prior, frames - 1, channels, again.data());
    CHECK(again == values);
    normal_noise(43, NoiseUse::prior, frames - 1, channels, again.data());
    CHECK(again != values);
}
