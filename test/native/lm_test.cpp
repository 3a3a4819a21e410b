// The layer-split language model compared to its PyTorch twin, and positions pushed one by one compared to all at once.

#include "golden.h"

#include <algorithm>

using namespace moss;
using namespace moss::test;

namespace {

struct Prompt {
    explicit Prompt(const Golden & golden)
        : text(golden.ids("input.text")), audio(golden.ids("input.audio")), embeddings(golden.values("aligner.embd")) {}

    std::vector<int32_t> text, audio;
    std::vector<float> embeddings; // inserted after the sixth position of the ids
};

/// Pushes the twin's sequence of ids and embeddings, the ids after the embeddings in pieces of `size` positions.
LmLogits push(TestModel & model, Lm::State & state, const Prompt & p, int size) {
    LmLogits logits;
    const auto add = [&](const LmLogits & more) {
        logits.text.insert(logits.text.end(), more.text.begin(), more.text.end());
        logits.audio.insert(logits.audio.end(), more.audio.begin(), more.audio.end());
    };
    add(model.lm->push(model.runner, state, p.text.data(), p.audio.data(), 6, Tails::both, true));
    add(model.lm->push(model.runner, state, p.embeddings.data(), static_cast<int>(p.embeddings.size() / 32),
                       Tails::both, true));
    const int count = static_cast<int>(p.text.size());
    for (int i = 6; i < count; i += size) {
        const int part = std::min(size, count - i);
        add(model.lm->push(model.runner, state, p.text.data() + i, p.audio.data() + i, part, Tails::both, true));
    }
    return logits;
}

void check_stages(const char * name, int size, double tolerance, double cosine) {
    const Golden golden("tiny.golden.gguf");
    const Prompt prompt(golden);
    TestModel model(name);
    Lm::State state(*model.lm, 64);
    Stages stages;
    model.runner.stages = &stages;
    push(model, state, prompt, size);
    CHECK_EQ(state.length(), 30);
    CHECK_EQ(golden.check_error(stages, tolerance), 4);
    CHECK_EQ(golden.check_cosine(stages, cosine), 4);
}

} // namespace

TEST(f32_stages_match_the_twin) {
    check_stages("tiny.gguf", 100, 1e-4, 0.999999);
    check_stages("tiny.gguf", 1, 1e-4, 0.999999);
    check_stages("tiny.gguf", 7, 1e-4, 0.999999);
}

TEST(q8_0_stages_match_the_twin) {
    // The error of the logits is 2 % of their range.
    check_stages("tiny-q8_0.gguf", 100, 0.05, 0.999);
    check_stages("tiny-q8_0.gguf", 1, 0.05, 0.999);
}

TEST(f16_keys_and_values_stay_close) {
    const Golden golden("tiny.golden.gguf");
    const Prompt prompt(golden);
    TestModel model("tiny.gguf");
    Lm::State state(*model.lm, 64, KvType::f16);
    Stages stages;
    model.runner.stages = &stages;
    push(model, state, prompt, 3);
    CHECK_EQ(golden.check_error(stages, 5e-3), 4); // F16 has a precision of 11 bits
}

TEST(truncated_positions_leave_no_trace) {
    const Golden golden("tiny.golden.gguf");
    const Prompt p(golden);
    TestModel model("tiny.gguf");
    Lm::State state(*model.lm, 64), fresh(*model.lm, 64);
    push(model, state, p, 5);
    state.truncate(6);
    CHECK_EQ(state.length(), 6);
    model.lm->push(model.runner, fresh, p.text.data(), p.audio.data(), 6, Tails::none);
    const LmLogits a = model.lm->push(model.runner, state, p.text.data() + 9, p.audio.data() + 9, 4, Tails::both);
    const LmLogits b = model.lm->push(model.runner, fresh, p.text.data() + 9, p.audio.data() + 9, 4, Tails::both);
    CHECK_EQ(a.text.size(), 264U);
    CHECK(max_difference(a.text, b.text) <= 1e-5);
    CHECK(max_difference(a.audio, b.audio) <= 1e-5);
}

TEST(a_step_of_several_conversations_is_a_step_of_each) {
    for (const char * file : {"tiny.gguf", "tiny-q8_0.gguf"}) {
        const Golden golden("tiny.golden.gguf");
        const Prompt p(golden);
        TestModel model(file);
        const int32_t *ids = p.text.data(), *units = p.audio.data();
        std::vector<Lm::State> together, apart;
        for (size_t i = 0; i < 3; i++) { // each conversation has a different length
            for (auto * states : {&together, &apart}) {
                states->emplace_back(*model.lm, 64);
                model.lm->push(model.runner, states->back(), ids + i, units + i, static_cast<int>(2 + 3 * i),
                               Tails::none);
            }
        }
        for (size_t n = 0; n < 4; n++) {
            std::vector<Lm::Next> next;
            for (size_t i = 0; i < 3; i++) {
                next.push_back({&together[i], ids[n + i], units[n + i]});
            }
            const std::vector<LmLogits> logits = model.lm->step(model.runner, next, Tails::both);
            CHECK_EQ(logits.size(), 3U);
            for (size_t i = 0; i < 3; i++) {
                const LmLogits alone =
                    model.lm->push(model.runner, apart[i], ids + n + i, units + n + i, 1, Tails::both);
                CHECK_EQ(logits[i].text.size(), alone.text.size());
                CHECK(logits[i].text == alone.text); // bit for bit
                CHECK(logits[i].audio == alone.audio);
                CHECK_EQ(together[i].length(), apart[i].length());
            }
        }
    }
}

TEST(a_step_that_one_conversation_cannot_take_changes_none) {
    const Golden golden("tiny.golden.gguf");
    const Prompt p(golden);
    TestModel model("tiny.gguf");
    Lm::State room(*model.lm, 64), full(*model.lm, 2);
    model.lm->push(model.runner, full, p.text.data(), p.audio.data(), 2, Tails::none);
    CHECK_THROWS_WITH(model.lm->step(model.runner, {{&room, 1, 1}, {&full, 1, 1}}, Tails::text),
                      "1 positions for a context of 2");
    CHECK_THROWS_WITH(model.lm->step(model.runner, {{&room, 1, 1}, {&room, 1, 1}}, Tails::text), "twice");
    CHECK_THROWS_WITH(model.lm->step(model.runner, {{&room, -1, 1}}, Tails::text), "text id -1");
    CHECK_EQ(room.length(), 0);
    CHECK_EQ(full.length(), 2);
    CHECK(model.lm->step(model.runner, {}, Tails::text).empty());
}

TEST(a_tail_without_output_still_fills_its_cache) {
    const Golden golden("tiny.golden.gguf");
    const Prompt p(golden);
    TestModel model("tiny.gguf");
    Lm::State both(*model.lm, 64), one(*model.lm, 64);
    const int32_t *text = p.text.data(), *audio = p.audio.data();
    LmLogits a, b;
    for (int i = 0; i < 10; i++) {
        a = model.lm->push(model.runner, both, text + i, audio + i, 1, Tails::both);
        b = model.lm->push(model.runner, one, text + i, audio + i, 1, i % 2 ? Tails::audio : Tails::none);
    }
    CHECK(b.text.empty());
    CHECK(max_difference(a.audio, b.audio) <= 1e-5);
    a = model.lm->push(model.runner, both, text, audio, 1, Tails::both);
    b = model.lm->push(model.runner, one, text, audio, 1, Tails::text);
    CHECK(b.audio.empty());
    CHECK(max_difference(a.text, b.text) <= 1e-5);
}

TEST(a_long_prompt_in_pieces) {
    TestModel model("tiny.gguf");
    Lm::State at_once(*model.lm, 512), parts(*model.lm, 512);
    std::vector<int32_t> ids(512);
    for (size_t i = 0; i < ids.size(); i++) {
        ids[i] = static_cast<int32_t>(i * 7 % 70);
    }
    const LmLogits a = model.lm->push(model.runner, at_once, ids.data(), ids.data(), 512, Tails::both);
    model.lm->push(model.runner, parts, ids.data(), ids.data(), 300, Tails::none);
    const LmLogits b = model.lm->push(model.runner, parts, ids.data() + 300, ids.data() + 300, 212, Tails::both);
    CHECK(max_difference(a.text, b.text) <= 1e-4);
    CHECK(max_difference(a.audio, b.audio) <= 1e-4);
}

TEST(bad_arguments_are_refused_and_change_nothing) {
    TestModel model("tiny.gguf");
    CHECK_THROWS_WITH(Lm::State(*model.lm, 0), "context of 0");
    CHECK_THROWS_WITH(Lm::State(*model.lm, 513), "context of 513");
    Lm::State state(*model.lm, 4);
    const std::vector<int32_t> good(8, 1), text_high(1, 264), audio_high(1, 100000), low(1, -1);
    const auto push_one = [&](const std::vector<int32_t> & text, const std::vector<int32_t> & audio) {
        return model.lm->push(model.runner, state, text.data(), audio.data(), 1, Tails::both);
    };
    CHECK_THROWS_WITH(push_one(text_high, good), "text id 264");
    CHECK_THROWS_WITH(push_one(good, audio_high), "audio id 100000");
    CHECK_THROWS_WITH(push_one(low, good), "text id -1");
    CHECK_THROWS_WITH(model.lm->push(model.runner, state, good.data(), good.data(), 5, Tails::both), "context of 4");
    CHECK_THROWS(model.lm->push(model.runner, state, good.data(), good.data(), 0, Tails::both));
    CHECK_EQ(state.length(), 0);
    model.runner.cancel = true;
    CHECK_THROWS_WITH(push_one(good, good), "cancelled");
    CHECK_EQ(state.length(), 0);
    model.runner.cancel = false;
    push_one(good, good);
    CHECK_EQ(state.length(), 1);
}
