// The waveform generator with a harmonic source compared to its PyTorch twin, stage by stage, and a stream in pieces
// compared to the whole utterance.

#include "changed.h"
#include "golden.h"
#include "test.h"

#include "graph/state.h"
#include "kernels/cpu/conv1d_kernel.h"
#include "model/istft_generator.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

using namespace moss;
using namespace moss::test;

namespace {

struct GeneratorModel {
    explicit GeneratorModel(const std::string & path)
        : file(GgufFile::open(path)), weights(file), generator(file, weights), runner(1),
          mix(generator.config().voices.size(), 0.0F) {
        mix.back() = 1.0F;
    }

    GgufFile file;
    Weights weights;
    IstftGenerator generator;
    Runner runner;
    VoiceMix mix; // only the last voice
};

/// How an utterance is pushed: the number of frames in a piece, and how many frames F0 is ahead of the features.
struct Pieces {
    int64_t step;
    int64_t ahead = 0;
};

/// The audio of an utterance of features [F, T] and F0 [T].
std::vector<float> speak(GeneratorModel & model, const std::vector<float> & features, const std::vector<float> & f0,
                         const Pieces & pieces) {
    StreamState state(model.runner.device());
    IstftGenerator::Stream stream(model.generator, state, model.mix);
    state.allocate();
    const int64_t size = model.generator.config().feature_size;
    const auto frames = static_cast<int64_t>(f0.size());
    std::vector<float> audio;
    int64_t pushed = 0; // frames of F0 pushed so far
    for (int64_t t = 0; t < frames; t += pieces.step) {
        const int64_t count = std::min(pieces.step, frames - t);
        const bool last = t + count == frames;
        const int64_t known = std::min(frames, t + count + pieces.ahead);
        if (known > pushed || (last && !stream.source().finished())) {
            stream.source().push(f0.data() + pushed, known - pushed, known == frames);
            pushed = known;
        }
        Graph g(model.runner);
        ggml_tensor * x = g.input(GGML_TYPE_F32, {size, count}, features.data() + t * size);
        x = model.generator.push(g, stream, x, last);
        std::vector<float> wave;
        if (x != nullptr) {
            g.output(x, wave);
        }
        g.run();
        audio.insert(audio.end(), wave.begin(), wave.end());
        const int64_t hop = model.generator.config().hop_length();
        const int64_t least = last ? frames : t + count - model.generator.lookahead();
        CHECK(static_cast<int64_t>(audio.size()) >= hop * least);
    }
    CHECK_EQ(static_cast<int64_t>(audio.size()), frames * model.generator.config().hop_length());
    return audio;
}

std::vector<float> first(std::vector<float> values, size_t count) {
    values.resize(std::min(count, values.size()));
    return values;
}

const std::vector<std::string> random_models = {"istft", "istft-odd"};

} // namespace

TEST(stages_match_the_twin) {
    for (const std::string & name : random_models) {
        const Golden golden(name + ".golden.gguf");
        GeneratorModel model(golden_path(name + ".gguf"));
        const std::vector<float> features = golden.values("input.features");
        const std::vector<float> f0 = golden.values("input.f0");
        Stages stages;
        model.runner.stages = &stages;
        const std::vector<float> audio = speak(model, features, f0, {1000});
        model.runner.stages = nullptr;
        CHECK(audio == stages["generator.wave"].values);
        // F32 sums are added in another order, and Winograd's algorithm rounds differently.
        CHECK_EQ(golden.check_error(stages, 2e-5), static_cast<int>(3 + 2 * model.generator.config().levels()));
    }
}

TEST(quantized_generators_are_close) {
    const Golden golden("istft.golden.gguf");
    GeneratorModel model(golden_path("istft-q8_0.gguf"));
    Stages stages;
    model.runner.stages = &stages;
    const std::vector<float> whole = speak(model, golden.values("input.features"), golden.values("input.f0"), {1000});
    CHECK_EQ(golden.check_cosine(stages, 0.9995), 7);
    model.runner.stages = nullptr;
    const std::vector<float> pieces = speak(model, golden.values("input.features"), golden.values("input.f0"), {5});
    // With Winograd's algorithm in fixed point, rounding depends on the other frames of a tile.
    CHECK(cosine(pieces, whole) >= 0.9999);
}

// Both edges of the source and of the STFT are in one window, and the convolutions see more frames than there are.
TEST(the_shortest_utterances_are_the_twins) {
    for (const std::string & name : random_models) {
        const Golden golden(name + ".golden.gguf");
        GeneratorModel model(golden_path(name + ".gguf"));
        for (const size_t frames : {1, 2, 3, 7}) {
            const auto size = static_cast<size_t>(model.generator.config().feature_size);
            const std::vector<float> features = first(golden.values("input.features"), frames * size);
            const std::vector<float> f0 = first(golden.values("input.f0"), frames);
            const std::vector<float> expected = golden.values("generator.wave." + std::to_string(frames));
            const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
            CHECK(max_difference(speak(model, features, f0, {1000}), expected) <= 2e-5 * (*high - *low));
        }
    }
}

// They are equal bit for bit: convolutions with few channels do not use Winograd's algorithm, and the source is
// computed on the host.
TEST(pieces_are_the_whole) {
    for (const std::string & name : random_models) {
        const Golden golden(name + ".golden.gguf");
        GeneratorModel model(golden_path(name + ".gguf"));
        allow_conv1d_winograd(false);
        GeneratorModel direct(golden_path(name + ".gguf"));
        allow_conv1d_winograd(true);
        for (const size_t frames : {1, 2, 7, 24}) {
            const auto size = static_cast<size_t>(model.generator.config().feature_size);
            const std::vector<float> features = first(golden.values("input.features"), frames * size);
            const std::vector<float> f0 = first(golden.values("input.f0"), frames);
            const std::vector<float> whole = speak(model, features, f0, {1000});
            const std::vector<float> exact = speak(direct, features, f0, {1000});
            for (const int64_t step : {1, 2, 3, 5, 11}) {
                for (const int64_t ahead : {0, 1, 4, 100}) {
                    CHECK(max_difference(speak(model, features, f0, {step, ahead}), whole) <= 1e-5);
                    CHECK(speak(direct, features, f0, {step, ahead}) == exact);
                }
            }
        }
    }
}

TEST(nothing_gives_nothing) {
    GeneratorModel model(golden_path("istft.gguf"));
    StreamState state(model.runner.device());
    IstftGenerator::Stream stream(model.generator, state, model.mix);
    state.allocate();
    stream.source().push(nullptr, 0, true);
    Graph g(model.runner);
    CHECK(model.generator.push(g, stream, nullptr, true) == nullptr);
}

TEST(voices_are_mixed) {
    const Golden golden("istft.golden.gguf");
    GeneratorModel model(golden_path("istft.gguf"));
    const auto with = [&](const VoiceMix & mix) {
        model.mix = mix;
        return speak(model, golden.values("input.features"), golden.values("input.f0"), {1000});
    };
    const std::vector<float> anna = with({1, 0}), mei = with({0, 1}), both = with({0.5F, 0.5F});
    const double apart = max_difference(anna, mei);
    CHECK(apart > 0.01);
    CHECK(max_difference(both, mei) > 0.1 * apart && max_difference(both, anna) > 0.1 * apart);
    CHECK_THROWS_WITH(with({1}), "voice");
}

TEST(f0_must_keep_up) {
    GeneratorModel model(golden_path("istft.gguf"));
    const std::vector<float> features(static_cast<size_t>(8 * model.generator.config().feature_size), 0.1F);
    const std::vector<float> f0(7, 100.0F);
    StreamState state(model.runner.device());
    IstftGenerator::Stream stream(model.generator, state, model.mix);
    state.allocate();
    stream.source().push(f0.data(), 7, true);
    Graph g(model.runner);
    ggml_tensor * x = g.input(GGML_TYPE_F32, {model.generator.config().feature_size, 8}, features.data());
    CHECK_THROWS_WITH(model.generator.push(g, stream, x, true), "the same number of frames");
    CHECK_THROWS_WITH(stream.source().push(f0.data(), 1, false), "finished");
}

// A damaged network may predict any F0, which must not crash the process.
TEST(any_f0_is_a_source) {
    GeneratorModel model(golden_path("istft.gguf"));
    const std::vector<float> f0 = {NAN, INFINITY, -INFINITY, -200.0F, 1e30F, 1e5F, 0.0F, 200.0F};
    const std::vector<float> features(f0.size() * static_cast<size_t>(model.generator.config().feature_size), 0.1F);
    const std::vector<float> audio = speak(model, features, f0, {3});
    CHECK(std::all_of(audio.begin(), audio.end(), [](float value) { return std::isfinite(value); }));
}

TEST(refuses_generators_that_do_not_fit) {
    const auto load = [](const auto & change_keys, const auto & change_tensor) {
        const std::string path = changed("istft", change_keys, change_tensor);
        const auto remove = [](const std::string * p) { std::filesystem::remove(std::filesystem::u8path(*p)); };
        const std::unique_ptr<const std::string, decltype(remove)> removed(&path, remove);
        GeneratorModel model(path);
    };
    const auto nothing = [](ggml_tensor *) {};
    const auto key = [&](const char * name, const std::vector<int32_t> & values) {
        const std::string whole = std::string("moss-speech.generator.") + name;
        load(
            [&](gguf_context * file) {
                if (values.size() == 1) {
                    gguf_set_val_u32(file, whole.c_str(), static_cast<uint32_t>(values[0]));
                } else {
                    gguf_set_arr_data(file, whole.c_str(), GGUF_TYPE_INT32, values.data(), values.size());
                }
            },
            nothing);
    };
    CHECK_THROWS_WITH(key("istft_n_fft", {6}), "istft_n_fft");
    CHECK_THROWS_WITH(key("istft_hop", {0}), "istft_hop");
    CHECK_THROWS_WITH(key("upsample_rates", {4, 1}), "upsample_rates");
    CHECK_THROWS_WITH(key("upsample_rates", {4, 3, 2}), "upsample_rates");
    CHECK_THROWS_WITH(key("istft_n_fft", {16}), "a frame of twice istft_n_fft");
    CHECK_THROWS_WITH(key("upsample_kernels", {8, 8}), "upsample_kernels");
    CHECK_THROWS_WITH(key("resblock_kernels", {3, 4}), "resblock_kernels");
    CHECK_THROWS_WITH(key("noise_kernels", {3, 4}), "noise_kernels");
    CHECK_THROWS_WITH(key("feature_size", {17}), "generator.up.0.weight");
    const auto keys = [](gguf_context *) {};
    const auto alpha = [&](float value) {
        load(keys, [&](ggml_tensor * tensor) {
            if (std::string(tensor->name) == "generator.res.1.snake2.0.alpha") {
                static_cast<float *>(tensor->data)[3] = value;
            }
        });
    };
    CHECK_THROWS_WITH(alpha(0.0F), "generator.res.1.snake2.0.alpha");
    CHECK_THROWS_WITH(alpha(NAN), "generator.res.1.snake2.0.alpha");
}

// Needs the teacher's weights, which test/golden/make_istft_golden.py --teacher writes.
TEST(the_teacher_is_its_twin) {
    const char * folder = std::getenv("MOSS_TEACHER_GENERATOR");
    if (folder == nullptr) {
        SKIP("MOSS_TEACHER_GENERATOR is not set");
    }
    const Golden golden(std::string(folder) + "/teacher.golden.gguf");
    GeneratorModel model(std::string(folder) + "/teacher.gguf");
    const std::vector<float> features = golden.values("input.features");
    const std::vector<float> f0 = golden.values("input.f0");
    Stages stages;
    model.runner.stages = &stages;
    const std::vector<float> whole = speak(model, features, f0, {1000});
    model.runner.stages = nullptr;
    CHECK_EQ(golden.check_error(stages, 1e-4),
             7); // 1e-5 on AVX2, most of it rounding in Winograd's algorithm, layer by layer
    for (const int64_t step : {7, 32}) {
        CHECK(max_difference(speak(model, features, f0, {step}), whole) <= 1e-4);
    }
}
