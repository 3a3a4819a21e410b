// Conversations on several threads whose steps are taken together, compared to each one alone.

#include "golden.h"

#include "core/turn/step_batcher.h"

#include <atomic>
#include <thread>

using namespace moss;
using namespace moss::test;

namespace {

constexpr int conversations = 6;
constexpr int steps = 30;

int32_t id(int conversation, int step) {
    return 1 + (conversation * 31 + step * 7) % 20;
}

/// The tails that a step asks for: those of a reply's speech and of its text.
Tails tails(int conversation, int step) {
    return (conversation + step / 10) % 2 == 0 ? Tails::audio : Tails::text;
}

struct Model {
    explicit Model(const char * name, int threads = 2)
        : test(name), pools(std::make_shared<ThreadPools>(threads)), batcher(*test.lm, pools) {}

    TestModel test;
    std::shared_ptr<ThreadPools> pools;
    StepBatcher batcher;

    std::vector<float> step(Runner & runner, Lm::State & state, int conversation, int index) {
        const LmLogits logits =
            batcher.step(runner, state, id(conversation, index), id(index, conversation), tails(conversation, index));
        return tails(conversation, index) == Tails::audio ? logits.audio : logits.text;
    }
};

/// Runs the body for each conversation, each on a thread of its own, with its own runner.
template <class Body>
void at_once(Model & model, Body && body) {
    std::vector<std::thread> threads;
    for (int i = 0; i < conversations; i++) {
        threads.emplace_back([&, i] {
            Runner runner(model.pools);
            body(runner, i);
        });
    }
    for (std::thread & thread : threads) {
        thread.join();
    }
}

} // namespace

TEST(conversations_at_once_have_the_logits_of_each_alone) {
    for (const char * file : {"tiny.gguf", "tiny-q8_0.gguf"}) {
        for (const KvType type : {KvType::f32, KvType::f16, KvType::q8}) {
            Model model(file);
            std::atomic<int> different{0};
            at_once(model, [&](Runner & runner, int i) {
                Lm::State together(*model.test.lm, 64, type), alone(*model.test.lm, 64, type);
                for (int n = 0; n < steps; n++) {
                    const int32_t text = id(i, n), audio = id(n, i);
                    const LmLogits expected = model.test.lm->push(runner, alone, &text, &audio, 1, tails(i, n));
                    different += model.step(runner, together, i, n) !=
                                 (tails(i, n) == Tails::audio ? expected.audio : expected.text);
                }
                different += together.length() != steps;
            });
            CHECK_EQ(different.load(), 0);
        }
    }
}

TEST(a_conversation_that_cannot_go_on_does_not_touch_the_others) {
    Model model("tiny.gguf");
    std::atomic<int> refused{0}, aborted{0}, finished{0};
    at_once(model, [&](Runner & runner, int i) {
        Lm::State state(*model.test.lm, i == 0 ? 5 : 64);
        std::string code;
        for (int n = 0; n < steps && code.empty(); n++) {
            if (i == 1 && n == 12) {
                runner.cancel = true;
            }
            try {
                model.step(runner, state, i, n);
            } catch (const MossError & error) {
                code = error.code();
            }
        }
        refused += i == 0 && code == code::prompt_too_long && state.length() == 5;
        aborted += i == 1 && code == code::aborted && state.length() == 12;
        finished += i > 1 && state.length() == steps;
    });
    CHECK_EQ(refused.load(), 1);
    CHECK_EQ(aborted.load(), 1);
    CHECK_EQ(finished.load(), conversations - 2);
}

TEST(an_id_outside_the_vocabulary_is_refused_before_a_step) {
    Model model("tiny.gguf");
    Runner runner(model.pools);
    Lm::State state(*model.test.lm, 64);
    CHECK_THROWS_WITH(model.batcher.step(runner, state, 100000, 1, Tails::text), "text id 100000");
    CHECK_EQ(state.length(), 0);
}
