// The voice activity network against its PyTorch twin and against Silero's own network, the files that it refuses, and
// the utterances that its probabilities become.

#include "changed.h"

#include "core/hearing/voice_activity.h"
#include "core/moss.h"
#include "core/parts.h"

#include <algorithm>
#include <cmath>

using namespace moss;
using namespace moss::test;

namespace {

struct TestVad {
    explicit TestVad(const std::string & path)
        : file(GgufFile::open(path)), weights(file), runner(std::make_shared<ThreadPools>(1)), vad(file, weights) {}

    /// The probabilities of samples that are pushed in pieces of `size`.
    std::vector<float> hear(const std::vector<float> & samples, size_t size, Stages * stages = nullptr) {
        Vad::State state(vad);
        std::vector<float> probabilities;
        runner.stages = stages;
        for (size_t begin = 0; begin < samples.size(); begin += size) {
            vad.push(runner, state, samples.data() + begin, std::min(size, samples.size() - begin), probabilities);
        }
        vad.finish(runner, state, probabilities);
        runner.stages = nullptr;
        return probabilities;
    }

    GgufFile file;
    Weights weights;
    Runner runner;
    Vad vad;
};

const std::string vad_key = "moss-speech.vad.";

KeyChange vad_number(const std::string & field, int32_t value) {
    return [=](gguf_context * g) { gguf_set_val_i32(g, (vad_key + field).c_str(), value); };
}

std::string vad_refusal(const KeyChange & change, const TensorChange & change_tensor = [](ggml_tensor *) {}) {
    return network_refusal<TestVad>("vad", change, change_tensor);
}

const std::string nano = std::string(MOSS_SOURCE_DIR) + "/models/nano.gguf";

std::vector<Span> spans(const std::vector<float> & probabilities, VoiceActivity rule = {}) {
    return utterances(probabilities, 512, 16000, probabilities.size() * 512, rule);
}

/// Appends `windows` windows with the same probability.
std::vector<float> & append(std::vector<float> & to, size_t windows, float probability) {
    to.insert(to.end(), windows, probability);
    return to;
}

} // namespace

TEST(vad_stages_match_the_twin) {
    TestVad model(golden_path("vad.gguf"));
    const Golden golden("vad.golden.gguf");
    Stages stages;
    const std::vector<float> samples = golden.values("input.samples");
    const std::vector<float> probabilities = model.hear(samples, samples.size(), &stages);
    CHECK_EQ(golden.check_error(stages, 1e-5), 4);
    CHECK_EQ(probabilities.size(), (samples.size() + 127) / 128);
}

TEST(vad_gives_the_same_whatever_the_sizes_pushed) {
    TestVad model(golden_path("vad.gguf"));
    const std::vector<float> samples = Golden("vad.golden.gguf").values("input.samples");
    const std::vector<float> whole = model.hear(samples, samples.size());
    for (const size_t size : {1, 127, 128, 129, 1000}) {
        CHECK(max_difference(model.hear(samples, size), whole) <= 1e-6);
    }
    // A cleared state is like a new one.
    Vad::State state(model.vad);
    std::vector<float> first, second;
    model.vad.push(model.runner, state, samples.data(), 1000, first);
    state.clear();
    model.vad.push(model.runner, state, samples.data(), 1000, second);
    CHECK(first == second);
}

TEST(nano_has_the_probabilities_of_sileros_network) {
    TestVad model(nano);
    const Golden golden("vad.golden.gguf");
    const std::vector<float> expected = golden.values("silero.probability");
    CHECK(*std::max_element(expected.begin(), expected.end()) > 0.5F); // somebody speaks
    // The tolerance is for nano's weights, which are F16.
    CHECK(max_difference(model.hear(golden.values("silero.samples"), 5000), expected) <= 0.01);
}

TEST(a_vad_key_that_is_missing_or_of_another_type_is_refused) {
    const std::pair<const char *, const char *> fields[] = {
        {"window_length", "an integer"}, {"context_length", "an integer"},      {"fft_length", "an integer"},
        {"hop_length", "an integer"},    {"channels", "an array of integers"},  {"strides", "an array of integers"},
        {"hidden", "an integer"},        {"max_utterance_seconds", "a number"},
    };
    for (const auto & [field, expected] : fields) {
        const std::string key = vad_key + field, message = key + ": expected " + expected + ", found ";
        check_refusal(vad_refusal([&](gguf_context * g) { gguf_remove_key(g, key.c_str()); }), message + "no such key");
        check_refusal(vad_refusal([&](gguf_context * g) { gguf_set_val_str(g, key.c_str(), "8"); }), message + "str");
        check_refusal(vad_refusal([&](gguf_context * g) { gguf_set_val_bool(g, key.c_str(), true); }),
                      message + "bool");
        const char * word = "8";
        check_refusal(vad_refusal([&](gguf_context * g) { gguf_set_arr_str(g, key.c_str(), &word, 1); }),
                      message + "array of str");
    }
    for (const char * field : {"channels", "strides"}) {
        check_refusal(vad_refusal(vad_number(field, 1)), vad_key + field + ": expected an array of integers");
        const float values[] = {1, 2, 2, 1};
        const std::string key = vad_key + field;
        check_refusal(
            vad_refusal([&](gguf_context * g) { gguf_set_arr_data(g, key.c_str(), GGUF_TYPE_FLOAT32, values, 4); }),
            key + ": expected an array of integers, found array of f32");
    }
    check_refusal(vad_refusal([](gguf_context * g) { gguf_set_val_f32(g, "moss-speech.vad.hidden", 16); }),
                  "moss-speech.vad.hidden: expected an integer, found f32");
}

TEST(a_vad_number_out_of_its_range_is_refused) {
    constexpr int32_t least = INT32_MIN, most = INT32_MAX;
    const struct {
        const char * field;
        std::vector<int32_t> values; // each is refused
        const char * expected;
    } numbers[] = {
        {"window_length", {0, -1, 15, 16001, least, most}, "16 … 16000"},
        {"context_length", {-1, 129, least, most}, "0 … 128"},
        {"fft_length", {0, -1, 3, 129, least, most}, "4 … 128"},
        {"hop_length", {0, -1, 15, 65, least, most}, "16 … 64"},
        {"hidden", {0, -1, 4097, least, most}, "1 … 4096"},
        {"max_utterance_seconds", {0, -1, 3601, least, most}, "1 … 3600"},
    };
    for (const auto & [field, values, expected] : numbers) {
        for (const int32_t value : values) {
            check_refusal(vad_refusal(vad_number(field, value)), vad_key + field + ": expected " + expected);
        }
    }
    for (const float value : {NAN, INFINITY, -INFINITY, 0.0F}) {
        check_refusal(
            vad_refusal([&](gguf_context * g) { gguf_set_val_f32(g, "moss-speech.vad.max_utterance_seconds", value); }),
            "moss-speech.vad.max_utterance_seconds: expected 1 … 3600");
    }
    const struct {
        const char * field;
        std::vector<int32_t> values;
        const char * expected;
    } lists[] = {
        {"channels", {}, "1 … 16 values, found 0"},
        {"channels", std::vector<int32_t>(17, 1), "1 … 16 values, found 17"},
        {"channels", {16, 8, 0, 16}, "1 … 4096, found 0"},
        {"channels", {16, 8, -8, 16}, "1 … 4096, found -8"},
        {"channels", {16, 8, most, 16}, "1 … 4096, found 2147483647"},
        {"strides", {}, "4 values, found 0"},
        {"strides", {1, 2, 2}, "4 values, found 3"},
        {"strides", {1, 2, 2, 1, 1}, "4 values, found 5"},
        {"strides", {0, 2, 2, 1}, "1 … 16, found 0"},
        {"strides", {1, 2, 2, -1}, "1 … 16, found -1"},
        {"strides", {1, 2, 2, most}, "1 … 16, found 2147483647"},
        {"strides", {1, 2, 1, 1}, "a product of 4, the number of spectra in a window, found 2"},
        {"strides", {1, 3, 1, 1}, "a product of 4, the number of spectra in a window, found 3"},
        {"strides", {16, 16, 16, 16}, "a product of 4, the number of spectra in a window, found 16 or more"},
    };
    for (const auto & [field, values, expected] : lists) {
        check_refusal(vad_refusal(by_layer(vad_key + field, values)), vad_key + field + ": expected " + expected);
    }
}

TEST(a_vad_that_would_need_much_memory_is_refused) {
    // 16384 spectra, one for each sample, and thousands of channels: few weights, but gigabytes of memory for a second
    // of speech.
    const KeyChange large = [](gguf_context * g) {
        const std::pair<const char *, int32_t> numbers[] = {
            {"window_length", 16000}, {"context_length", 386}, {"fft_length", 4}, {"hop_length", 1}};
        for (const auto & [field, value] : numbers) {
            vad_number(field, value)(g);
        }
        by_layer(vad_key + "channels", {4096, 1, 1, 1})(g);
        by_layer(vad_key + "strides", {16, 16, 16, 4})(g);
    };
    check_refusal(vad_refusal(large), "moss-speech.vad.channels: expected up to 65536 values a window in each layer");
}

TEST(a_vad_tensor_that_is_missing_or_of_another_shape_or_type_is_refused) {
    const GgufFile file = GgufFile::open(golden_path("vad.gguf"));
    CHECK_EQ(file.tensors().size(), size_t(14));
    const auto nothing = [](gguf_context *) {};
    for (const TensorInfo & tensor : file.tensors()) {
        const std::string shape = to_string(tensor.shape);
        const auto change = [&](const std::function<void(ggml_tensor *)> & how) {
            return [=](ggml_tensor * t) {
                if (t->name == tensor.name) {
                    how(t);
                }
            };
        };
        check_refusal(vad_refusal(nothing, change([](ggml_tensor * t) { ggml_set_name(t, "vad.none"); })),
                      tensor.name + ": expected a tensor of shape " + shape + ", found no such tensor");
        const auto reshape = [](ggml_tensor * t) { // one row less; else one value less, or two
            if (t->ne[1] > 1) {
                t->ne[1]--;
            } else {
                t->ne[0] = t->ne[0] == 1 ? 2 : t->ne[0] - 1;
            }
            t->nb[1] = static_cast<size_t>(t->ne[0]) * t->nb[0];
            t->nb[2] = t->nb[3] = t->nb[1] * static_cast<size_t>(t->ne[1]);
        };
        check_refusal(vad_refusal(nothing, change(reshape)), tensor.name + ": expected shape " + shape);
        check_refusal(vad_refusal(nothing, change([](ggml_tensor * t) { t->type = GGML_TYPE_I32; })),
                      tensor.name + ": expected F32, F16");
    }
    CHECK_EQ(vad_refusal(nothing), ""); // the same file, written by the same code
}

TEST(utterances_do_not_overlap_and_lie_in_the_recording) {
    CHECK(spans({}).empty());
    CHECK(spans(std::vector<float>(100, 0.1F)).empty());
    CHECK(spans(std::vector<float>(100, 0.39F)).empty()); // no window is certain
    std::vector<float> probabilities;
    append(append(append(probabilities, 10, 0.0F), 4, 0.9F), 30, 0.0F); // too short
    CHECK(spans(probabilities).empty());
    append(append(probabilities, 1, 0.5F), 9, 0.25F); // one certain window is enough
    append(append(probabilities, 8, 0.1F), 5, 0.9F);  // 0.26 s: no pause
    append(append(probabilities, 9, 0.1F), 20, 0.9F); // 0.29 s: a pause
    append(probabilities, 3, 0.0F);
    const std::vector<Span> found = spans(probabilities);
    CHECK_EQ(found.size(), size_t(2));
    CHECK_EQ(found[0].begin, size_t(44 * 512 - 4800));
    CHECK(found[0].end > (44 + 23) * 512 && found[0].end <= found[1].begin); // the pause is shared
    CHECK(found[1].begin < (44 + 32) * 512 && found[1].begin >= (44 + 23) * 512);
    CHECK_EQ(found[1].end, probabilities.size() * 512); // no further than the recording
}

TEST(long_utterances_are_cut_where_speech_is_least_probable) {
    std::vector<float> probabilities(1000, 0.9F);
    probabilities[200] = 0.3F;
    const std::vector<Span> found = spans(probabilities);
    CHECK(found.size() >= 4);
    CHECK_EQ(found[0].end, size_t(200 * 512));
    for (size_t i = 0; i < found.size(); i++) {
        CHECK(found[i].size() > 0 && found[i].size() <= 8 * 16000);
        CHECK_EQ(found[i].begin, i == 0 ? 0 : found[i - 1].end);
    }
    CHECK_EQ(found.back().end, size_t(1000 * 512));
}

TEST(quiet_speech_is_found_but_not_in_silence_noise_and_tones) {
    TestVad model(nano);
    const std::vector<float> speech = Golden("vad.golden.gguf").values("silero.samples");
    std::vector<float> quiet = speech;
    for (float & sample : quiet) {
        sample *= 0.02F;
    }
    const std::vector<Span> found = find_utterances(model.vad, model.runner, speech);
    CHECK_EQ(found.size(), size_t(1));
    CHECK_EQ(find_utterances(model.vad, model.runner, quiet).size(), size_t(1));
    CHECK(find_utterances(model.vad, model.runner, {}).empty());
    CHECK(find_utterances(model.vad, model.runner, std::vector<float>(32000, 0.0F)).empty());
    std::vector<float> tone(32000), noise(32000);
    uint32_t random = 1;
    for (size_t i = 0; i < tone.size(); i++) {
        tone[i] = 0.5F * std::sin(0.1727875959F * static_cast<float>(i)); // 440 Hz
        random = random * 1664525 + 1013904223;
        noise[i] = static_cast<float>(random >> 8) / 83886080.0F - 0.1F;
    }
    CHECK(find_utterances(model.vad, model.runner, tone).empty());
    CHECK(find_utterances(model.vad, model.runner, noise).empty());
    CHECK(find_utterances(model.vad, model.runner, std::vector<float>(8000, 3e38F)).empty());
}

TEST(nano_tells_how_much_it_can_hear) {
    const auto model = Model::load(nano);
    CHECK(model->info().finds_speech);
    CHECK_NEAR(model->info().max_turn_seconds, 15, 1e-6);
    CHECK(model->info().max_input_seconds > 3600);
}

TEST(where_nobody_speaks_there_is_no_turn) {
    Session session(Model::load(nano, {1}), 1);
    CancelToken cancel;
    Request request;
    std::vector<Chunk> chunks;
    const Receiver receive = [&](Chunk && chunk) { chunks.push_back(std::move(chunk)); };
    request.samples = Golden("vad.golden.gguf").values("silero.samples");
    const size_t spoken = request.samples.size();
    request.samples.insert(request.samples.begin(), 32000, 0.0F); // two seconds of silence before it
    CHECK(session.generate(request, receive, cancel));
    CHECK(chunks.front().heard && !chunks.front().heard->no_speech && !chunks.front().heard->units.empty());
    for (const HeardUnit & unit : chunks.front().heard->units) {
        CHECK(unit.start >= 1.6F && unit.end <= static_cast<float>(32000 + spoken) / 16000);
    }
    const int length = session.length();
    chunks.clear();
    request.samples.assign(32000, 0.0F);
    CHECK(!session.generate(request, receive, cancel));
    CHECK_EQ(session.length(), length);
    CHECK_EQ(chunks.size(), size_t(1));
    CHECK(chunks[0].finish_reason == FinishReason::no_speech && chunks[0].heard->no_speech && chunks[0].timings);
    session.undo(); // removes the turn before
    CHECK_EQ(session.length(), 0);
    // The whole recording is heard if the request says so.
    request.vad = false;
    request.max_seconds = 1;
    CHECK(session.generate(request, receive, cancel));
    CHECK(session.length() > 0);
}

TEST(long_speech_is_transcribed_by_utterances_but_too_long_for_a_turn) {
    Session session(Model::load(nano, {2}), 1);
    CancelToken cancel;
    const std::vector<float> once = Golden("vad.golden.gguf").values("silero.samples");
    std::vector<float> samples;
    for (int i = 0; i < 12; i++) {
        samples.insert(samples.end(), once.begin(), once.end());
        samples.resize(samples.size() + 16000, 0.0F);
    }
    double seconds = 0;
    const Transcript transcript = session.transcribe(samples, {}, cancel, [&](double heard) { seconds = heard; });
    CHECK_EQ(transcript.segments.size(), size_t(12));
    CHECK(seconds > 15);
    float last = 0;
    for (const Segment & segment : transcript.segments) {
        CHECK(segment.start >= last && segment.end > segment.start);
        CHECK(segment.text.size() < 40); // a command, not an endless repetition
        last = segment.end;
    }
    last = 0;
    for (const HeardUnit & unit : transcript.sounds.units) {
        CHECK(unit.start >= last);
        last = unit.start;
    }
    CHECK(last > 15);
    CHECK_EQ(session.length(), 0);
    Request request;
    request.samples = samples;
    CHECK_THROWS_WITH(session.generate(request, [](Chunk &&) {}, cancel), "transcribe() takes longer speech");
}

TEST(a_detector_tells_who_speaks_while_audio_arrives) {
    LoadOptions options;
    options.threads = 1;
    options.only_vad = true;
    const auto model = Model::load(nano, options);
    CHECK(!model->parts().lm && !model->parts().listener && !model->parts().voice);
    CHECK_EQ(model->info().vad_window, 512);
    const std::vector<float> samples = Golden("vad.golden.gguf").values("silero.samples");
    TestVad whole(nano);
    const std::vector<float> expected = whole.hear(samples, samples.size());
    CancelToken cancel;
    for (const size_t piece : {size_t(1), size_t(700), samples.size()}) {
        SpeechDetector detector(model);
        std::vector<float> probabilities;
        for (size_t i = 0; i < samples.size(); i += piece) {
            const auto first = samples.begin() + static_cast<std::ptrdiff_t>(i);
            const size_t count = std::min(piece, samples.size() - i);
            const std::vector<float> next = detector.push({first, first + static_cast<std::ptrdiff_t>(count)}, cancel);
            probabilities.insert(probabilities.end(), next.begin(), next.end());
        }
        CHECK_EQ(probabilities.size(), samples.size() / 512);
        for (size_t i = 0; i < probabilities.size(); i++) {
            CHECK_NEAR(probabilities[i], expected[i], 1e-4);
        }
    }
    SpeechDetector detector(model);
    CHECK_THROWS_WITH(detector.push({0, NAN}, cancel), "not a finite number");
    CHECK_THROWS_WITH(SpeechDetector(Model::load(MOSS_SOURCE_DIR "/test/golden/tiny.gguf", {1})),
                      "no voice activity network");
}
