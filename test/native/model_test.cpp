// Damaged or malformed bundles: they load and work, or are refused with an error. The process must survive.

#include "core/moss.h"
#include "core/parts.h"

#include "changed.h"
#include "temporary.h"
#include "test.h"

#include "io/gguf_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace moss;

namespace {

const std::string tiny = MOSS_SOURCE_DIR "/test/golden/tiny.gguf";
const std::string encoder = MOSS_SOURCE_DIR "/test/golden/wav2vec2/base.gguf"; // no other components
const std::string voice = MOSS_SOURCE_DIR "/test/golden/voice-piper.gguf";

std::vector<char> read_file(const std::string & path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Loads the bytes as a model and lets it hear and answer, or speak if it is a voice. Returns the code of the error, or
/// "".
std::string try_model(const std::vector<char> & bytes) {
    static const std::filesystem::path path = test::temporary_file("damaged.gguf");
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    struct Remove {
        ~Remove() { std::filesystem::remove(path); }
    } remove;
    try {
        const auto model = Model::load(path.u8string(), {1});
        Session session(model, 1);
        if (model->parts().voice && !model->parts().lm) {
            CancelToken cancel;
            session.speak({1, 2, 3}, {}, [](Chunk &&) {}, cancel);
            return "";
        }
        Request request;
        request.samples.assign(2000, 0.1F);
        request.max_seconds = 0.2;
        request.max_tokens = 2;
        request.transcribe = true;
        CancelToken cancel;
        if (model->info().ctc) {
            session.encode(request.samples, cancel);
            return "";
        }
        session.generate(request, [](Chunk &&) {}, cancel);
    } catch (const MossError & error) {
        return error.code();
    }
    return "";
}

/// The position where the data of tensors begins.
size_t metadata_size(const std::string & path) {
    const GgufFile file = GgufFile::open(path);
    size_t first = SIZE_MAX;
    for (const TensorInfo & tensor : file.tensors()) {
        first = std::min(first, static_cast<size_t>(tensor.offset));
    }
    return first;
}

} // namespace

TEST(a_load_can_be_stopped_wherever_it_is) {
    // Loading can be stopped at each piece that is read.
    GgufFile file = GgufFile::open(tiny);
    int pieces = 0;
    file.before_read = [&] { pieces++; };
    CancelToken never;
    Model::Parts(file, "tiny", {1}, never);
    CHECK(pieces > 100);
    for (const int last : {1, 2, pieces / 2, pieces}) {
        int piece = 0;
        file.before_read = [&] {
            if (++piece == last) {
                throw MossError(code::aborted, "cancelled");
            }
        };
        CHECK_THROWS_WITH(Model::Parts(file, "tiny", {1}, never), "cancelled");
        CHECK_EQ(piece, last);
    }
    // It can also be stopped while something is computed, in a bundle the aligner's keys and values.
    file.before_read = nullptr;
    CancelToken token;
    token.cancel();
    CHECK_THROWS_WITH(Model::Parts(file, "tiny", {1}, token), "cancelled");
    CHECK_THROWS_WITH(Model::load(tiny, {1}, token), "cancelled");
}

TEST(a_model_says_what_it_is) {
    const auto model = Model::load(tiny, {1});
    const ModelInfo & info = model->info();
    CHECK_EQ(info.name, "tiny");
    CHECK_EQ(info.voices.size(), size_t(2));
    CHECK_EQ(info.emotions.front(), "neutral");
    CHECK_EQ(info.n_ctx, 512);
    CHECK_EQ(info.components.size(), size_t(6));
    CHECK_EQ(info.components[4].name, "lm");
    CHECK_EQ(info.components[4].types.front(), "F32");
    CHECK(Model::load(MOSS_SOURCE_DIR "/test/golden/tiny-q8_0.gguf")->info().components[4].types.front() == "Q8_0");
}

TEST(truncated_bundles_are_refused) {
    for (const std::string & path : {tiny, encoder, voice}) {
        const std::vector<char> whole = read_file(path);
        for (size_t part = 0; part < 60; part++) {
            const size_t size = part < 30 ? metadata_size(path) * part / 30 : whole.size() * (part - 29) / 31 - 1;
            const std::string code = try_model({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
            CHECK_EQ(code, code::model_format);
        }
    }
}

TEST(damaged_metadata_never_ends_the_process) {
    for (const std::string & path : {tiny, encoder, voice}) {
        const std::vector<char> whole = read_file(path);
        const size_t metadata = metadata_size(path);
        Random random(1);
        int refused = 0;
        constexpr int rounds = 200;
        for (int i = 0; i < rounds; i++) {
            std::vector<char> bytes = whole;
            for (uint64_t n = random.next() % 3 + 1; n > 0; n--) {
                bytes[random.next() % metadata] = static_cast<char>(random.next());
            }
            refused += !try_model(bytes).empty();
        }
        CHECK(refused > rounds / 10);
    }
}

TEST(numbers_out_of_their_range_never_end_the_process) {
    for (const std::string & path : {tiny, encoder, voice}) {
        const std::vector<char> whole = read_file(path);
        const std::string text(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(metadata_size(path)));
        const std::string prefix = "moss-speech.";
        int refused = 0;
        int tried = 0;
        for (size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at + 1)) {
            const size_t length =
                static_cast<unsigned char>(text[at - 8]) + 256U * static_cast<unsigned char>(text[at - 7]);
            const size_t value = at + length + 4; // after the key and its type
            for (const int32_t number : {0, 7, 1000, 0x7FFFFFFF, -1}) {
                std::vector<char> bytes = whole;
                for (size_t i = 0; i < 4; i++) {
                    bytes[value + i] = static_cast<char>(static_cast<uint32_t>(number) >> (8 * i));
                }
                refused += !try_model(bytes).empty();
                tried++;
            }
        }
        CHECK(tried > 100);
        CHECK(refused > tried / 2);
    }
}

TEST(weights_of_nan_never_end_the_process) {
    const std::vector<char> whole = read_file(tiny);
    const GgufFile file = GgufFile::open(tiny);
    for (const std::string prefix : {"frontend.", "tone.", "aligner.", "audio.", "decoder.duration."}) {
        for (const char byte : {'\xFF', '\x55'}) { // NaN, 1.5e13
            std::vector<char> bytes = whole;
            for (const TensorInfo & tensor : file.tensors()) {
                if (tensor.name.rfind(prefix, 0) == 0) {
                    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(tensor.offset);
                    std::fill(begin, begin + static_cast<std::ptrdiff_t>(tensor.bytes), byte);
                }
            }
            try_model(bytes);
        }
    }
}

TEST(the_first_key_of_a_network_may_not_be_missing) {
    const std::pair<const char *, const char *> keys[] = {
        {"tiny", "moss-speech.frontend.channels"},   {"tiny", "moss-speech.lm.embedding_length"},
        {"tiny", "moss-speech.decoder.sample_rate"}, {"tiny", "moss-speech.tone.hidden"},
        {"tiny", "moss-speech.aligner.block_count"}, {"feature-decoder", "moss-speech.decoder.feature_size"},
        {"vad", "moss-speech.vad.window_length"},    {"voice-piper", "moss-speech.voice.sample_rate"},
    };
    for (const auto & [file, key] : keys) {
        const std::string name = key;
        test::check_refusal(test::refusal(file, [&](gguf_context * g) { gguf_remove_key(g, name.c_str()); }), name);
    }
}
