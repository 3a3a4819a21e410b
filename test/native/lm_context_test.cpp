// Which ids may be sampled from the tails of the language model.

#include "changed.h"

#include "core/parts.h"
#include "core/turn/lm_context.h"

#include <algorithm>
#include <string>

using namespace moss;
using namespace moss::test;

namespace {

Sampling likeliest() {
    Sampling sampling;
    sampling.temperature = 0;
    sampling.repetition_penalty = 1;
    return sampling;
}

} // namespace

TEST(special_tokens_are_not_sampled) {
    const auto model = Model::load(golden_path("tiny.gguf"), {1});
    const Model::Parts & parts = model->parts();
    Runner runner(1);
    Lm::State context(*parts.lm, 16);
    const LmContext turn(parts, runner, context);
    const auto & audio = parts.vocabulary.audio;
    const auto & marks = parts.vocabulary.text;
    const auto unit = [&](bool may_end) {
        LmLogits logits;
        logits.audio.assign(static_cast<size_t>(std::max(audio.eosp, audio.pad)) + 1, 0);
        logits.audio[7] = 1;
        logits.audio[static_cast<size_t>(audio.eosp)] = 2;
        logits.audio[0] = logits.audio[static_cast<size_t>(audio.pad)] = 3;
        Sampler sampler(likeliest());
        return turn.sample_unit(sampler, logits, may_end);
    };
    CHECK_EQ(unit(false), 7);
    CHECK_EQ(unit(true), audio.eosp);
    LmLogits logits;
    logits.text.assign(264, 0);
    logits.text[7] = 1;
    for (const int id : {marks.im_start, marks.sosp, marks.modality_pad, marks.pad}) {
        logits.text[static_cast<size_t>(id)] = 2;
    }
    Sampler sampler(likeliest());
    CHECK_EQ(turn.sample_text(sampler, logits), 7);
}

// The only logit that is not zero is that of eosp. With one of the two signs, it is the largest for the first sample.
TEST(a_spoken_reply_does_not_begin_with_the_end_token) {
    const int eosp = Model::load(golden_path("tiny.gguf"), {1})->parts().vocabulary.audio.eosp;
    for (const float sign : {1.0F, -1.0F}) {
        const auto only_eosp = [&](ggml_tensor * tensor) {
            if (std::string(tensor->name) == "audio.output.weight") {
                auto * values = static_cast<float *>(tensor->data);
                for (int64_t i = 0; i < ggml_nelements(tensor); i++) {
                    values[i] *= i / tensor->ne[0] == eosp ? sign : 0;
                }
            }
        };
        const std::string path = changed("tiny", [](gguf_context *) {}, only_eosp);
        Session session(Model::load(path, {1}), 1);
        std::filesystem::remove(std::filesystem::u8path(path));
        Request request;
        request.text = {1, 2, 3};
        request.sampling = likeliest();
        request.max_seconds = 0.1;
        request.max_tokens = 1;
        size_t units = 0;
        CancelToken cancel;
        session.generate(request, [&](Chunk && chunk) { units += chunk.units.size(); }, cancel);
        CHECK(units > 0);
    }
}
