// Conversations that last: old turns make room for new ones, turns of elsewhere are recalled, and a conversation goes
// on in another session. The models are tiny and have random weights.

#include "core/moss.h"

#include "test.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace moss;

namespace {

std::shared_ptr<const Model> model() {
    static const auto loaded = Model::load(MOSS_SOURCE_DIR "/test/golden/tiny.gguf", {1});
    return loaded;
}

std::shared_ptr<const Model> imported(int context) {
    return Model::load(MOSS_SOURCE_DIR "/test/golden/lm-qwen3.gguf", {1, context});
}

std::vector<float> hum(double seconds) {
    std::vector<float> samples(static_cast<size_t>(seconds * 16000));
    for (size_t i = 0; i < samples.size(); i++) {
        samples[i] = static_cast<float>(0.3 * std::sin(static_cast<double>(i) * 0.05));
    }
    return samples;
}

Request written(std::vector<int32_t> text, Output output = Output::text) {
    Request request;
    request.text = std::move(text);
    request.output = output;
    request.max_seconds = 1;
    request.max_tokens = 8;
    request.speaking.seed = 5;
    return request;
}

struct Reply {
    std::vector<float> audio;
    std::vector<int32_t> units, text;
    FinishReason reason = FinishReason::stop;

    bool operator==(const Reply & other) const {
        return audio == other.audio && units == other.units && text == other.text;
    }
};

Receiver collector(Reply & reply) {
    return [&reply](Chunk && chunk) {
        reply.audio.insert(reply.audio.end(), chunk.audio.begin(), chunk.audio.end());
        reply.units.insert(reply.units.end(), chunk.units.begin(), chunk.units.end());
        reply.text.insert(reply.text.end(), chunk.text.begin(), chunk.text.end());
        reply.reason = chunk.finish_reason.value_or(reply.reason);
    };
}

Reply generate(Session & session, const Request & request) {
    Reply reply;
    CancelToken cancel;
    session.generate(request, collector(reply), cancel);
    return reply;
}

std::vector<int32_t> ids(size_t count, int32_t first = 1) {
    std::vector<int32_t> all(count);
    std::iota(all.begin(), all.end(), first);
    return all;
}

/// Copies a conversation to another session, keys and values in small pieces.
void copy(Session & from, Session & to) {
    const Snapshot snapshot = from.snapshot();
    to.restore(snapshot);
    for (size_t block = 0; block < snapshot.position_bytes.size(); block++) {
        for (int begin = 0; begin < snapshot.length; begin += 7) {
            to.write_context(block, begin, from.read_context(block, begin, std::min(7, snapshot.length - begin)));
        }
    }
}

} // namespace

TEST(old_turns_make_room_for_new_ones) {
    const int n_ctx = model()->info().n_ctx;
    Session session(model(), 1, true);
    for (int i = 0; i < 60; i++) {
        const int before = session.length();
        const Dropped dropped = session.dropped();
        const Reply reply = generate(session, written(ids(10, 1 + i % 40), i % 3 == 0 ? Output::both : Output::text));
        CHECK(!reply.text.empty());
        CHECK(reply.reason != FinishReason::context_length);
        CHECK(session.length() <= n_ctx);
        const auto left = static_cast<int>(before - (session.dropped().positions - dropped.positions));
        session.undo();
        CHECK_EQ(session.length(), left); // the turns before this one, as far as they are still there
        generate(session, written(ids(10, 1 + i % 40), i % 3 == 0 ? Output::both : Output::text));
    }
    const Dropped dropped = session.dropped();
    CHECK(dropped.turns > 30);
    CHECK(dropped.positions > n_ctx);
    const std::vector<int32_t> turns = session.snapshot().turns;
    CHECK_EQ(turns.front(), 0);
    CHECK_EQ(static_cast<int64_t>(turns.size()), 60 - dropped.turns);
    CHECK_THROWS_WITH(generate(session, written(ids(600, 0))), "longer than the model's context");
    CHECK_EQ(session.dropped().turns, dropped.turns); // what cannot fit drops nothing
}

TEST(memory_of_a_conversation_that_slides_does_not_grow) {
    Session session(model(), 1, true);
    for (int i = 0; i < 60; i++) {
        generate(session, written(ids(20)));
    }
    const size_t bytes = session.bytes();
    for (int i = 0; i < 60; i++) {
        generate(session, written(ids(20)));
    }
    CHECK_EQ(session.bytes(), bytes);
}

TEST(old_turns_make_room_while_somebody_speaks) {
    Session session(model(), 1, true);
    CancelToken cancel;
    while (session.length() < model()->info().n_ctx / 2) {
        generate(session, written(ids(20)));
    }
    const int before = session.length();
    Request request;
    request.max_seconds = 1;
    request.max_tokens = 8;
    request.speaking.seed = 5;
    const std::vector<float> piece = hum(0.5);
    session.begin(request, cancel);
    while (session.dropped().turns < 2) {
        session.feed(piece, cancel);
    }
    session.abandon();
    CHECK_EQ(session.length(), before - static_cast<int>(session.dropped().positions));
    session.begin(request, cancel);
    const Dropped dropped = session.dropped();
    while (session.dropped().turns == dropped.turns) {
        session.feed(piece, cancel);
    }
    Reply reply;
    session.finish(collector(reply), cancel);
    CHECK(!reply.units.empty());
    const int whole = session.length();
    session.shorten(1, std::vector<int32_t>{3}, cancel); // after the turn has moved up
    CHECK(session.length() < whole);
    session.undo();
    CHECK_EQ(session.length(), before - static_cast<int>(session.dropped().positions));
}

TEST(a_recalled_turn_is_like_one_that_took_place) {
    Session session(model(), 1), other(model(), 1);
    CancelToken cancel;
    Request request = written(ids(10), Output::both);
    const Reply first = generate(session, request);
    other.recall({ids(10), first.units, first.text}, cancel);
    CHECK_EQ(other.length(), session.length());
    const Reply a = generate(session, request), b = generate(other, request);
    CHECK(a.units == b.units);
    CHECK(a.text == b.text);
    other.undo();
    other.undo();
    CHECK_EQ(other.length(), 0);
    other.recall({ids(3), {}, ids(2)}, cancel); // a written reply
    CHECK(other.length() > 5);
    const int length = other.length();
    CHECK_THROWS_WITH(other.recall({ids(3), {0}, ids(2)}, cancel), "units");
    CHECK_THROWS_WITH(other.recall({{100000}, {}, {}}, cancel), "not in the vocabulary");
    CHECK_THROWS_WITH(other.recall({std::vector<int32_t>(5000, 1), {}, {}}, cancel), "positions for a context");
    CHECK_EQ(other.length(), length);
    Session text(imported(64), 1);
    CHECK_THROWS_WITH(text.recall({ids(3), {}, ids(2)}, cancel), "whole conversation");
}

TEST(a_conversation_goes_on_in_another_session) {
    Session session(model(), 1, true);
    Request request = written(ids(10), Output::both);
    request.speaking.seed.reset(); // the session's own random numbers
    generate(session, request);
    generate(session, request);
    Session other(model(), 99, true);
    generate(other, request); // is forgotten
    copy(session, other);
    CHECK_EQ(other.length(), session.length());
    for (int turn = 0; turn < 3; turn++) {
        CHECK(generate(other, request) == generate(session, request));
    }
    for (int turn = 0; turn < 5; turn++) {
        session.undo();
        other.undo();
        CHECK_EQ(other.length(), session.length());
    }
    CHECK_EQ(other.length(), 0);
}

TEST(a_snapshot_that_does_not_fit_is_refused) {
    Session session(model(), 1);
    generate(session, written(ids(10)));
    const Snapshot good = session.snapshot();
    const auto refused = [&](const char * why, const std::function<void(Snapshot &)> & change) {
        Snapshot bad = good;
        change(bad);
        CHECK_THROWS_WITH(session.restore(bad), why);
        CHECK_EQ(session.length(), 0);
    };
    refused("not one of", [](Snapshot & s) { s.length = -1; });
    refused("not one of", [](Snapshot & s) { s.turns = {0, s.length + 1}; });
    refused("not one of", [](Snapshot & s) { s.turns = {3, 1}; });
    refused("not one of", [](Snapshot & s) { s.turns = {-1}; });
    refused("not one of", [](Snapshot & s) { s.ids = {1}; });
    refused("positions for a context", [](Snapshot & s) { s.length = 1 << 30; });
    session.restore(good);
    CHECK_EQ(session.length(), good.length);
}

TEST(an_imported_model_keeps_what_follows_removed_turns) {
    const auto lm = imported(128);
    Session session(lm, 1);
    const auto turn = [](int32_t first) { return ids(20, first); };
    const auto join = [](std::initializer_list<std::vector<int32_t>> parts) {
        std::vector<int32_t> all;
        for (const auto & part : parts) {
            all.insert(all.end(), part.begin(), part.end());
        }
        return all;
    };
    const std::vector<int32_t> system = {250, 251, 252};
    generate(session, written(join({system, turn(10), turn(50), turn(90)})));
    Request next = written(join({system, turn(50), turn(90), turn(130)}));
    next.shortened = true;
    const Reply kept = generate(session, next);
    CHECK(!kept.text.empty());
    const int length = session.length();
    CHECK_EQ(length, static_cast<int>(next.text.size() + kept.text.size()) - (kept.text.size() == 8 ? 1 : 0));
    // The ids in the cache are the request's, so the next turn goes on there.
    Request after = written(join({next.text, kept.text, {77}}));
    generate(session, after);
    CHECK_EQ(session.snapshot().ids.size(), static_cast<size_t>(session.length()));
    CHECK(std::equal(after.text.begin(), after.text.end(), session.snapshot().ids.begin()));
    // Turns that have nothing in common with the cache are computed anew.
    Session fresh(lm, 1);
    Request other = written(turn(200));
    other.shortened = true;
    CHECK(generate(session, other).text == generate(fresh, other).text);
}
