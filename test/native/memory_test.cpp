// Out of memory: when loading a model and in each kind of work, every allocation fails once alone and once together
// with all later ones. The result must be MOSS_OUT_OF_MEMORY, and afterwards the same session must do the same work
// correctly.

#include "failing_memory.h"
#include "golden.h"

#include "core/moss.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <thread>

using namespace moss;
using namespace moss::test;

namespace {

const std::string tiny = golden_path("tiny.gguf");
const std::string encoder = golden_path("wav2vec2/base.gguf");
const std::string voice = golden_path("voice-piper.gguf");
const std::string writer = golden_path("lm-qwen3.gguf");

std::vector<float> hum(double seconds) {
    std::vector<float> samples(static_cast<size_t>(seconds * 16000));
    for (size_t i = 0; i < samples.size(); i++) {
        const auto time = static_cast<double>(i);
        samples[i] = static_cast<float>(0.2 * std::sin(time / 20) + 0.1 * std::sin(time / 9 + std::sin(time / 4000)));
    }
    return samples;
}

/// The output of a session.
struct Delivered {
    std::vector<float> audio, features;
    std::vector<int32_t> units, text, heard_text;

    bool operator==(const Delivered & other) const {
        return audio == other.audio && features == other.features && units == other.units && text == other.text &&
               heard_text == other.heard_text;
    }
};

/// Its allocations are not counted, because they belong to the test.
Receiver into(Delivered & delivered) {
    const FailingMemory::Pause pause;
    return [&delivered](Chunk && chunk) {
        const FailingMemory::Pause inner;
        const auto append = [](auto & to, const auto & from) { to.insert(to.end(), from.begin(), from.end()); };
        append(delivered.audio, chunk.audio);
        append(delivered.features, chunk.features);
        append(delivered.units, chunk.units);
        append(delivered.text, chunk.text);
        delivered.heard_text = chunk.heard_text.value_or(delivered.heard_text);
    };
}

using Work = std::function<void(Session & session, const Receiver & receiver)>;

void spoken_turn(Session & session, const Receiver & receiver) {
    static const std::vector<float> samples = hum(1);
    CancelToken cancel;
    Request request;
    request.samples = samples;
    request.speaking.seed = 5;
    request.max_seconds = 0.5;
    request.max_tokens = 4;
    request.transcribe = true;
    session.generate(request, receiver, cancel);
}

void written_turn(Session & session, const Receiver & receiver) {
    CancelToken cancel;
    Request request;
    request.text.assign(90, 3); // more positions than a new context has memory for
    request.output = Output::text;
    request.speaking.seed = 5;
    request.max_tokens = 4;
    session.generate(request, receiver, cancel);
}

void sentence(Session & session, const Receiver & receiver) {
    CancelToken cancel;
    Speaking speaking;
    speaking.seed = 5;
    session.speak({1, 2, 3, 4, 5, 6, 7, 8, 9}, speaking, receiver, cancel);
}

void features(Session & session, const Receiver & receiver) {
    static const std::vector<float> samples = hum(1);
    CancelToken cancel;
    session.features(samples, receiver, cancel);
}

/// "" or the code of the error. std::bad_alloc counts as MOSS_OUT_OF_MEMORY, as in the addon.
template <class Body>
std::string outcome_of(Body && body) {
    const char * code = "";
    try {
        body();
    } catch (const MossError & error) {
        const FailingMemory::Pause pause;
        // A thread pool cannot tell whether threads could not be started for lack of memory.
        const std::string found =
            error.code() == std::string(code::out_of_threads) ? code::out_of_memory : error.code();
        return found == code::out_of_memory ? found : found + ": " + error.what();
    } catch (const std::bad_alloc &) {
        code = code::out_of_memory;
    } catch (const std::exception & error) {
        const FailingMemory::Pause pause;
        return error.what();
    }
    const FailingMemory::Pause pause;
    return code;
}

/// Runs `body` on a new thread, like that of a session, and rethrows its exception.
template <class Body>
void on_new_thread(Body && body) {
    std::exception_ptr thrown;
    std::thread([&] {
        try {
            body();
        } catch (...) {
            thrown = std::current_exception();
        }
    }).join();
    if (thrown) {
        std::rethrow_exception(thrown);
    }
}

/// A sequence that first includes every number and then becomes sparser: some hundred numbers up to a hundred thousand.
uint64_t after(uint64_t n) {
    return n + 1 + n / 40;
}

/// Makes the allocations of `attempt` fail one after the other, alone or with all later ones, until all have been
/// tried. `again` does the same work with enough memory. Returns the number of allocations.
template <class Attempt, class Again>
uint64_t fail_each(uint64_t failing, const Attempt & attempt, const Again & again) {
    uint64_t failed = 0;
    for (uint64_t n = 0;; n = after(n)) {
        uint64_t count = 0;
        std::string outcome;
        {
            const FailingMemory memory(n, failing);
            outcome = outcome_of(attempt);
            count = FailingMemory::count();
        }
        again();
        if (count <= n) {
            CHECK_EQ(outcome, "");
            CHECK(failed > 0);
            return count;
        }
        if (outcome != "" ||
            failing > 1) { // a single failure may do no harm, for instance for a message or for more threads
            CHECK_EQ(outcome, code::out_of_memory);
            failed++;
        }
    }
}

void check_work(const std::string & path, const Work & work) {
    const auto model = Model::load(path, {2});
    Delivered expected;
    {
        Session session(model, 1);
        work(session, into(expected));
    }
    for (const uint64_t failing : {uint64_t{1}, FailingMemory::for_ever}) {
        std::optional<Session> session;
        const auto attempt = [&] {
            if (!session) {
                session.emplace(model, 1);
            }
            Delivered delivered;
            const Receiver receiver = into(delivered);
            work(*session, receiver);
        };
        const auto again = [&] {
            if (!session) {
                session.emplace(model, 1);
            }
            session->reset();
            Delivered delivered;
            work(*session, into(delivered));
            CHECK(delivered == expected);
            session.reset();
        };
        on_new_thread([&] { CHECK(fail_each(failing, attempt, again) > 100); });
    }
}

} // namespace

TEST(a_model_that_does_not_fit_into_memory_is_an_error) {
    for (const std::string & path : {tiny, encoder, voice, writer}) {
        for (const uint64_t failing : {uint64_t{1}, FailingMemory::for_ever}) {
            std::shared_ptr<const Model> model;
            on_new_thread([&] { fail_each(failing, [&] { model = Model::load(path, {2}); }, [&] { model.reset(); }); });
        }
    }
}

TEST(a_spoken_turn_that_runs_out_of_memory_can_be_repeated) {
    check_work(tiny, spoken_turn);
}

TEST(a_written_turn_that_runs_out_of_memory_can_be_repeated) {
    check_work(tiny, written_turn);
    check_work(writer, written_turn);
}

TEST(a_sentence_that_runs_out_of_memory_can_be_repeated) {
    check_work(tiny, sentence);
    check_work(voice, sentence);
}

TEST(features_that_run_out_of_memory_can_be_repeated) {
    check_work(encoder, features);
}
