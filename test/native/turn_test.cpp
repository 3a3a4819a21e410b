// Turns with a tiny bundle of random weights. The content of the replies is meaningless, but every rule of
// docs/internals/turn.md must hold.

#include "core/moss.h"

#include "temporary.h"
#include "test.h"

#include "io/gguf_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

using namespace moss;

namespace {

const std::string tiny = MOSS_SOURCE_DIR "/test/golden/tiny.gguf";

std::shared_ptr<const Model> model() {
    static const std::shared_ptr<const Model> loaded = Model::load(tiny, {1});
    return loaded;
}

/// A copy of the tiny bundle with the tensors whose names begin with `prefix` set to zero.
std::shared_ptr<const Model> without(const std::string & prefix) {
    std::ifstream in(tiny, std::ios::binary);
    std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    int zeroed = 0;
    const GgufFile file = GgufFile::open(tiny);
    for (const TensorInfo & tensor : file.tensors()) {
        if (tensor.name.rfind(prefix, 0) == 0) {
            const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(tensor.offset);
            std::fill(begin, begin + static_cast<std::ptrdiff_t>(tensor.bytes), '\0');
            zeroed++;
        }
    }
    CHECK(zeroed > 0);
    const std::filesystem::path path = test::temporary_file("without-" + prefix + "gguf");
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    auto loaded = Model::load(path.u8string(), {1});
    std::filesystem::remove(path);
    return loaded;
}

/// A voice-like sound: harmonics with a changing pitch.
std::vector<float> hum(double seconds) {
    std::vector<float> samples(static_cast<size_t>(seconds * 16000));
    double phase = 0;
    for (size_t i = 0; i < samples.size(); i++) {
        phase += 2 * 3.14159265358979 * (120 + 60 * std::sin(static_cast<double>(i) / 4000)) / 16000;
        samples[i] = static_cast<float>(0.2 * std::sin(phase) + 0.1 * std::sin(2 * phase) + 0.05 * std::sin(5 * phase));
    }
    return samples;
}

Request spoken(double seconds, Output output = Output::both) {
    Request request;
    request.samples = hum(seconds);
    request.output = output;
    request.speaking.seed = 5;
    request.max_seconds = 1;
    request.max_tokens = 8;
    return request;
}

Request written(std::vector<int32_t> text, Output output = Output::both) {
    Request request = spoken(0, output);
    request.text = std::move(text);
    return request;
}

struct Reply {
    std::vector<float> audio;
    std::vector<int32_t> units, text, heard_text;
    HeardSounds heard;
    Timings timings;
    FinishReason finish_reason = FinishReason::stop;
    size_t chunks = 0;
    bool whole = false; ///< whether the last chunk has been delivered
};

/// Concatenates the chunks of a reply.
Receiver collector(Reply & reply) {
    return [&reply](Chunk && chunk) {
        CHECK(!reply.whole);
        reply.audio.insert(reply.audio.end(), chunk.audio.begin(), chunk.audio.end());
        reply.units.insert(reply.units.end(), chunk.units.begin(), chunk.units.end());
        reply.text.insert(reply.text.end(), chunk.text.begin(), chunk.text.end());
        CHECK(!chunk.heard || reply.chunks == 0);
        reply.heard = chunk.heard.value_or(reply.heard);
        reply.heard_text = chunk.heard_text.value_or(reply.heard_text);
        reply.whole = chunk.timings.has_value();
        CHECK(chunk.finish_reason.has_value() == reply.whole);
        reply.timings = chunk.timings.value_or(reply.timings);
        reply.finish_reason = chunk.finish_reason.value_or(reply.finish_reason);
        reply.chunks++;
    };
}

Reply generate(Session & session, const Request & request) {
    Reply reply;
    CancelToken cancel;
    session.generate(request, collector(reply), cancel);
    CHECK(reply.whole);
    return reply;
}

std::string code_of(const std::function<void()> & body) {
    try {
        body();
    } catch (const MossError & error) {
        return error.code();
    }
    return "";
}

bool same(const Reply & a, const Reply & b) {
    return a.audio == b.audio && a.units == b.units && a.text == b.text;
}

} // namespace

TEST(a_spoken_turn_delivers_audio_units_and_text) {
    Session session(model(), 1);
    const Reply reply = generate(session, spoken(1.5));
    const ModelInfo & info = model()->info();
    CHECK(!reply.units.empty());
    for (const int32_t unit : reply.units) {
        CHECK(unit > 0 && unit < static_cast<int32_t>(info.units.size()));
    }
    CHECK(reply.text.size() <= 8);
    for (const int32_t id : reply.text) {
        CHECK(id != info.tokens.im_start && id != info.tokens.im_end && id != info.tokens.sosp &&
              id != info.tokens.modality_pad && id != info.tokens.pad);
    }
    CHECK(!reply.audio.empty());
    CHECK(reply.audio.size() <= 16000);
    for (const float sample : reply.audio) {
        CHECK(std::isfinite(sample));
    }
    CHECK_NEAR(reply.timings.input_seconds, 1.5, 1e-6);
    CHECK_NEAR(reply.timings.reply_seconds, static_cast<double>(reply.audio.size()) / 16000, 1e-6);
    const Timings & t = reply.timings;
    CHECK(t.first_audio_ms > 0 && t.first_audio_ms < t.total_ms);
    CHECK_NEAR(t.encode_ms + t.prefill_ms + t.lm_ms + t.decode_ms, t.total_ms, 0.1 * t.total_ms + 1);
}

TEST(the_context_holds_the_whole_turn_afterwards) {
    Session session(model(), 1);
    const Request request = spoken(1);
    const Reply reply = generate(session, request);
    // (16000 samples + 640 of tail padding) / 1280 samples for each position, rounded up
    const size_t speech = 13, fixed = 6 + 13 + 2, marks = 2; // user_prefix, assistant_prefix, turn_end; sosp, eosp
    CHECK_EQ(static_cast<size_t>(session.length()), speech + fixed + marks + reply.units.size() + reply.text.size());
    const int before = session.length();
    const Reply answer = generate(session, written({1, 2, 3}, Output::text));
    CHECK_EQ(static_cast<size_t>(session.length() - before), 3 + fixed + answer.text.size());
    CHECK(answer.audio.empty() && answer.units.empty());
    session.reset();
    CHECK_EQ(session.length(), 0);
}

TEST(speech_output_delivers_no_text_but_remembers_it) {
    Session both(model(), 1), speech(model(), 1);
    const Reply with = generate(both, spoken(1, Output::both));
    const Reply without_text = generate(speech, spoken(1, Output::speech));
    CHECK(without_text.text.empty());
    CHECK(with.audio == without_text.audio);
    CHECK_EQ(both.length(), speech.length());
}

TEST(equal_seeds_give_equal_replies) {
    Session a(model(), 3), b(model(), 3), c(model(), 4);
    Request request = spoken(1);
    request.speaking.seed.reset(); // drawn from the session's random numbers
    const Reply first = generate(a, request);
    CHECK(same(first, generate(b, request)));
    CHECK(!same(first, generate(c, request)));
    CHECK(!same(first, generate(a, request))); // both the random numbers and the conversation have changed
}

TEST(the_reply_is_generated_from_aligner_embeddings_alone) {
    Session session(model(), 1);
    const Reply reply = generate(session, spoken(1.5));
    Session no_ctc(without("encoder.ctc."), 1);
    const Reply deaf_to_ctc = generate(no_ctc, spoken(1.5));
    CHECK(same(reply, deaf_to_ctc)); // bit for bit
    CHECK(deaf_to_ctc.heard.units.empty() || deaf_to_ctc.heard.units.size() != reply.heard.units.size());
    Session no_aligner(without("aligner."), 1);
    CHECK(!same(reply, generate(no_aligner, spoken(1.5))));
}

TEST(a_cancelled_turn_leaves_no_trace) {
    Session untouched(model(), 1);
    generate(untouched, written({7, 8}));
    const Reply expected = generate(untouched, spoken(1));
    for (const size_t stop_at : {size_t(0), size_t(1), size_t(3)}) {
        Session session(model(), 1);
        generate(session, written({7, 8}));
        const int before = session.length();
        CancelToken cancel;
        size_t chunks = 0;
        if (stop_at == 0) {
            cancel.cancel();
        }
        const auto count = [&](Chunk &&) {
            if (++chunks == stop_at) {
                cancel.cancel();
            }
        };
        CHECK_EQ(code_of([&] { session.generate(spoken(2), count, cancel); }), code::aborted);
        CHECK_EQ(session.length(), before);
        CHECK(same(expected, generate(session, spoken(1))));
    }
}

TEST(a_failing_receiver_and_undo_leave_no_trace) {
    Session session(model(), 1);
    CancelToken cancel;
    const auto fail = [](Chunk && chunk) {
        if (chunk.timings) {
            throw std::runtime_error("full disk");
        }
    };
    CHECK_THROWS_WITH(session.generate(spoken(1), fail, cancel), "full disk");
    CHECK_EQ(session.length(), 0);
    const Reply reply = generate(session, spoken(1));
    session.undo();
    CHECK_EQ(session.length(), 0);
    CHECK(same(reply, generate(session, spoken(1))));
}

/// Feeds a turn `piece` samples at a time.
Reply feed(Session & session, const Request & whole, size_t piece) {
    Request request = whole;
    request.samples.clear();
    CancelToken cancel;
    session.begin(request, cancel);
    for (size_t i = 0; i < whole.samples.size(); i += piece) {
        const auto first = whole.samples.begin() + static_cast<std::ptrdiff_t>(i);
        const size_t count = std::min(piece, whole.samples.size() - i);
        session.feed({first, first + static_cast<std::ptrdiff_t>(count)}, cancel);
    }
    Reply reply;
    session.finish(collector(reply), cancel);
    return reply;
}

TEST(a_turn_that_is_fed_is_the_whole_turn) {
    Request request = spoken(6); // more positions than are prefilled at a time
    request.transcribe = true;
    request.vad = false;
    Session session(model(), 1);
    generate(session, written({7, 8}));
    const Reply whole = generate(session, request);
    CHECK(whole.heard_text.size() > 0);
    for (const size_t piece : {size_t(160), size_t(1601), size_t(16000), request.samples.size()}) {
        Session other(model(), 1);
        generate(other, written({7, 8}));
        const Reply fed = feed(other, request, piece);
        CHECK(fed.units == whole.units);
        CHECK(fed.text == whole.text);
        CHECK(fed.heard_text == whole.heard_text);
        CHECK_EQ(fed.heard.units.size(), whole.heard.units.size());
        CHECK_EQ(fed.audio.size(), whole.audio.size());
        for (size_t i = 0; i < fed.audio.size(); i++) {
            CHECK_NEAR(fed.audio[i], whole.audio[i], 1e-4);
        }
        CHECK_EQ(other.length(), session.length());
        CHECK_NEAR(fed.timings.input_seconds, 6, 1e-6);
        other.undo();
        session.undo();
        CHECK_EQ(other.length(), session.length());
        generate(session, request);
    }
}

TEST(most_of_a_turn_that_is_fed_is_read_before_its_end) {
    Request request = spoken(6, Output::text);
    Session session(model(), 1);
    const std::vector<float> samples = std::move(request.samples);
    request.samples.clear();
    CancelToken cancel;
    session.begin(request, cancel);
    CHECK(session.length() > 0); // user_prefix
    session.feed(samples, cancel);
    CHECK(session.length() >= 64); // of 76 positions of speech in total
    session.abandon();
    CHECK_EQ(session.length(), 0);
}

TEST(a_turn_that_is_not_finished_leaves_no_trace) {
    const Request request = spoken(1);
    Request begun = request;
    begun.samples.clear();
    Session untouched(model(), 1);
    generate(untouched, written({7, 8}));
    const int before = untouched.length();
    const Reply expected = generate(untouched, request);
    const std::vector<float> samples = hum(2);
    const std::vector<float> nan{0, NAN};
    CancelToken cancel, cancelled;
    cancelled.cancel();
    const std::vector<std::pair<std::string, std::function<void(Session &)>>> ends = {
        {"", [&](Session & s) { s.abandon(); }},
        {"", [&](Session & s) { s.encode(hum(1), cancel); }},
        {"", [&](Session & s) { s.begin(begun, cancel), s.abandon(); }},
        {code::aborted, [&](Session & s) { s.feed(samples, cancelled); }},
        {code::invalid_argument, [&](Session & s) { s.feed(nan, cancel); }},
        {code::audio_length, [&](Session & s) { s.feed(hum(60), cancel); }},
        {code::aborted, [&](Session & s) { s.finish([](Chunk &&) {}, cancelled); }},
        {code::invalid_argument, [&](Session & s) { s.begin(request, cancel); }},
    };
    for (const auto & [code, end] : ends) {
        Session session(model(), 1);
        generate(session, written({7, 8}));
        session.begin(begun, cancel);
        session.feed(samples, cancel);
        CHECK_EQ(code_of([&, &e = end] { e(session); }), code);
        CHECK_EQ(session.length(), before);
        CHECK_EQ(code_of([&] { session.feed(samples, cancel); }), std::string(code::invalid_argument));
        CHECK(same(expected, generate(session, request)));
    }
    Session session(model(), 1);
    CHECK_EQ(code_of([&] { session.finish([](Chunk &&) {}, cancel); }), std::string(code::invalid_argument));
    session.begin(begun, cancel);
    CHECK_EQ(code_of([&] { session.finish([](Chunk &&) {}, cancel); }), std::string(code::audio_length));
    CHECK_EQ(session.length(), 0);
}

/// Begins a turn of `seconds` of speech, feeds it, and answers it until the receiver has got `chunks` chunks.
Reply begin_and_stop(Session & session, const Request & whole, size_t chunks) {
    Request request = whole;
    request.samples.clear();
    CancelToken cancel;
    session.begin(request, cancel);
    session.feed(whole.samples, cancel);
    Reply reply;
    const Receiver collect = collector(reply);
    const auto stopping = [&](Chunk && chunk) {
        collect(std::move(chunk));
        if (reply.chunks == chunks) {
            cancel.cancel();
        }
    };
    CHECK_EQ(code_of([&] { session.finish(stopping, cancel); }), std::string(code::aborted));
    return reply;
}

TEST(the_ends_of_units_are_told_with_the_audio) {
    Session session(model(), 1);
    std::vector<float> ends;
    size_t units = 0, samples = 0;
    CancelToken cancel;
    Request request = spoken(2);
    request.max_seconds = 60;
    const auto collect = [&](Chunk && chunk) {
        ends.insert(ends.end(), chunk.unit_ends.begin(), chunk.unit_ends.end());
        units += chunk.units.size();
        samples += chunk.audio.size();
    };
    session.generate(request, collect, cancel);
    CHECK_EQ(ends.size(), units);
    CHECK(std::is_sorted(ends.begin(), ends.end()) && ends.front() > 0);
    CHECK(ends.back() * static_cast<float>(model()->info().sample_rate) <= static_cast<float>(samples));
}

TEST(a_reply_is_shortened_to_what_was_played) {
    const Request request = spoken(2);
    CancelToken cancel;
    for (const size_t units : {size_t(1), size_t(3)}) {
        Session session(model(), 1);
        const Reply reply = feed(session, request, 16000);
        CHECK(reply.units.size() > 3);
        const int all = session.length();
        const std::vector<int32_t> words = session.shorten(units, {}, cancel);
        CHECK(words.size() <= 8);
        const auto kept = [&](size_t written) {
            return all - static_cast<int>(reply.units.size() - units + reply.text.size() - written);
        };
        CHECK_EQ(session.length(), kept(words.size()));
        const std::vector<int32_t> given{5, 6};
        CHECK(session.shorten(units + 1, given, cancel) == given); // units that were removed do not come back
        CHECK_EQ(session.length(), kept(2));

        // The context is the same as if the reply had been stopped there while it was generated.
        Session stopped(model(), 1);
        CHECK(begin_and_stop(stopped, request, 2).units.size() >= units);
        CHECK_EQ(stopped.length(), 0);
        CHECK(stopped.shorten(units, {}, cancel) == words);
        CHECK(stopped.shorten(units, given, cancel) == given);
        CHECK_EQ(stopped.length(), session.length());
        CHECK(same(generate(stopped, spoken(1)), generate(session, spoken(1))));
        CHECK_EQ(code_of([&] { session.shorten(1, {}, cancel); }), std::string(code::invalid_argument));
        session.undo(); // the turn after it
        CHECK_EQ(session.length(), kept(2));
        session.undo();
        CHECK_EQ(session.length(), 0);
    }
}

TEST(a_reply_of_which_nothing_is_left_leaves_no_trace) {
    const Request request = spoken(1);
    CancelToken cancel, cancelled;
    Session untouched(model(), 1);
    const Reply expected = generate(untouched, request);
    const auto check = [&](Session & session) {
        CHECK_EQ(session.length(), 0);
        CHECK(same(generate(session, request), expected));
        CHECK_EQ(code_of([&] { session.shorten(1, {}, cancel); }), std::string(code::invalid_argument));
    };
    Session finished(model(), 1);
    feed(finished, request, 16000);
    CHECK(finished.shorten(0, {}, cancel).empty());
    check(finished);
    Session stopped(model(), 1);
    begin_and_stop(stopped, request, 2);
    stopped.shorten(0, {}, cancel);
    check(stopped);
    Session forgotten(model(), 1);
    begin_and_stop(forgotten, request, 2);
    check(forgotten); // the next call removes the turn that was cancelled
    Session wrong(model(), 1);
    feed(wrong, request, 16000);
    CHECK_EQ(code_of([&] { wrong.shorten(1, std::vector<int32_t>{-1}, cancel); }), std::string(code::invalid_argument));
    check(wrong);
    Session aborted(model(), 1);
    feed(aborted, request, 16000);
    cancelled.cancel();
    CHECK_EQ(code_of([&] { aborted.shorten(1, {}, cancelled); }), std::string(code::aborted));
    check(aborted);
    Session early(model(), 1);
    Request begun = request;
    begun.samples.clear();
    early.begin(begun, cancel);
    early.feed(request.samples, cancel);
    CHECK_EQ(code_of([&] { early.finish([](Chunk &&) {}, cancelled); }), std::string(code::aborted));
    CHECK(early.shorten(9, {}, cancel).empty()); // cancelled before the reply began
    check(early);
}

TEST(a_written_reply_that_is_stopped_keeps_what_was_written) {
    Session session(model(), 1);
    const Reply beginning = begin_and_stop(session, spoken(1, Output::text), 3);
    CancelToken cancel;
    session.shorten(0, {}, cancel);
    CHECK(session.length() > static_cast<int>(beginning.text.size()));
    session.undo();
    CHECK_EQ(session.length(), 0);
}

TEST(undo_takes_back_the_last_turn_that_was_finished) {
    Session session(model(), 1), other(model(), 1);
    const int first = (generate(session, spoken(1)), session.length());
    generate(other, spoken(1));
    const int second = (generate(session, spoken(1)), session.length());
    Request wrong = spoken(1);
    wrong.speaking.voice = 99;
    CHECK_EQ(code_of([&] { generate(session, wrong); }), code::invalid_argument);
    CancelToken cancel;
    CHECK_EQ(code_of([&] { session.generate(spoken(1), [&](Chunk &&) { cancel.cancel(); }, cancel); }), code::aborted);
    CHECK_EQ(code_of([&] { generate(session, written(std::vector<int32_t>(600, 1))); }), code::prompt_too_long);
    CHECK_EQ(session.length(), second);
    session.undo();
    CHECK_EQ(session.length(), first); // the turn that failed does not count
    session.undo();
    CHECK_EQ(session.length(), 0); // further calls have no effect
    session.undo();
    CHECK_EQ(session.length(), 0);
    generate(session, spoken(1));
    CHECK(same(generate(session, spoken(1)), generate(other, spoken(1))));
}

TEST(a_session_says_what_memory_it_takes) {
    Session session(model(), 1);
    const size_t empty = session.bytes();
    generate(session, spoken(1));
    const size_t one = session.bytes();
    CHECK(one > empty + 100'000);
    session.reset();
    CHECK(session.bytes() < one); // what the conversation took is free
    generate(session, spoken(4));
    CHECK(session.bytes() > one);
}

TEST(a_full_context_is_refused_before_anything_is_computed) {
    Session session(model(), 1);
    std::string code;
    int turns = 0;
    while (code.empty() && turns < 100) {
        const int before = session.length();
        code = code_of([&] { generate(session, spoken(2)); });
        if (!code.empty()) {
            CHECK_EQ(session.length(), before);
        }
        turns++;
    }
    CHECK(turns > 2);
    CHECK_EQ(code, code::prompt_too_long);
    session.reset();
    CHECK(!generate(session, spoken(2)).units.empty());
    CHECK_EQ(code_of([&] { generate(session, written(std::vector<int32_t>(600, 1))); }), code::prompt_too_long);
    CHECK_EQ(code_of([&] { generate(session, spoken(model()->info().max_input_seconds + 0.1)); }), code::audio_length);
}

TEST(the_longest_speech_fits_and_its_reply_ends_with_the_context) {
    Session session(model(), 1);
    Request request = spoken(model()->info().max_input_seconds);
    request.max_seconds = 60;
    request.max_tokens = 500;
    generate(session, request);
    CHECK(session.length() <= model()->info().n_ctx);
}

TEST(limits_cut_speech_and_text) {
    const double rate = model()->info().sample_rate;
    const auto within = [](double seconds) {
        Session session(model(), 1);
        Request request = spoken(1);
        request.max_seconds = seconds;
        request.max_tokens = 1;
        return generate(session, request);
    };
    const Reply whole = within(60);
    CHECK(whole.finish_reason != FinishReason::max_seconds);
    CHECK(whole.text.size() <= 1);
    CHECK(whole.chunks > 4);
    CHECK(whole.timings.first_audio_ms < whole.timings.total_ms / 2);
    for (const size_t samples : {size_t(1), whole.audio.size() / 2, whole.audio.size() - 1}) {
        const Reply cut = within((static_cast<double>(samples) + 0.5) / rate);
        CHECK_EQ(cut.audio.size(), samples);
        CHECK(cut.finish_reason == FinishReason::max_seconds);
    }
}

TEST(a_transcription_takes_no_part_in_the_conversation) {
    Session session(model(), 1), other(model(), 1);
    generate(session, written({9}));
    generate(other, written({9}));
    const int before = session.length();
    CancelToken cancel;
    Transcribing options;
    options.seed = 2;
    options.max_tokens = 8;
    const Transcript a = session.transcribe(hum(1), options, cancel);
    CHECK_EQ(session.length(), before);
    CHECK_EQ(a.segments.size(), size_t(1));
    CHECK(a.segments[0].text.size() <= 8);
    for (const HeardUnit & unit : a.sounds.units) {
        CHECK(unit.start >= 0 && unit.start <= unit.end && unit.end <= 1.0001F);
    }
    CHECK(same(generate(session, spoken(1)), generate(other, spoken(1))));
    CHECK(session.transcribe(hum(1), options, cancel).segments[0].text == a.segments[0].text);
    CHECK_EQ(session.encode(hum(1), cancel).units.size(), a.sounds.units.size());
}

TEST(a_turn_can_transcribe_what_it_heard) {
    Session session(model(), 1);
    Request request = spoken(1);
    request.transcribe = true;
    const Reply reply = generate(session, request);
    CancelToken cancel;
    Transcribing options;
    options.seed = 5;
    options.max_tokens = 8;
    CHECK(reply.heard_text == session.transcribe(request.samples, options, cancel).segments[0].text);
}

TEST(units_are_read_aloud_by_the_voice_of_their_language) {
    Session session(model(), 1);
    const auto read = [&](const std::vector<int32_t> & units, int voice) {
        Speaking speaking;
        speaking.voice = voice;
        speaking.seed = 1;
        std::vector<float> audio;
        CancelToken cancel;
        session.speak(
            units, speaking, [&](Chunk && chunk) { audio.insert(audio.end(), chunk.audio.begin(), chunk.audio.end()); },
            cancel);
        return audio;
    };
    const std::vector<int32_t> english{30, 6, 20, 40}, mandarin{30, 20, 8, 40}, neither{30, 20, 40};
    CHECK(!read(english, 0).empty());
    CHECK(read(english, 0) != read(english, 1));
    CHECK(read(english, -1) == read(english, model()->info().default_voice_en));
    CHECK(read(mandarin, -1) == read(mandarin, model()->info().default_voice_zh));
    CHECK(read(neither, -1) == read(neither, model()->info().default_voice_en));
    CHECK_EQ(session.length(), 0);
}

TEST(what_does_not_fit_is_refused) {
    Session session(model(), 1);
    CancelToken cancel;
    const auto code_for = [&](const Request & request) { return code_of([&] { generate(session, request); }); };
    CHECK_EQ(code_for(spoken(0)), code::audio_length);
    Request both = spoken(1);
    both.text = {1};
    CHECK_EQ(code_for(both), code::invalid_argument);
    Request nan = spoken(1);
    nan.samples[5] = NAN;
    CHECK_EQ(code_for(nan), code::invalid_argument);
    CHECK_EQ(code_for(written({-1})), code::invalid_argument);
    CHECK_EQ(code_for(written({288})), code::invalid_argument);
    Request voice = spoken(1);
    voice.speaking.voice = 2;
    CHECK_EQ(code_for(voice), code::invalid_argument);
    Request emotion = spoken(1);
    emotion.speaking.emotion = 99;
    CHECK_EQ(code_for(emotion), code::invalid_argument);
    Request speed = spoken(1);
    speed.speaking.speed = NAN;
    CHECK_EQ(code_for(speed), code::invalid_argument);
    CHECK_EQ(session.length(), 0);
    const auto quiet = [](Chunk &&) {};
    CHECK_EQ(code_of([&] { session.speak({}, {}, quiet, cancel); }), code::invalid_argument);
    CHECK_EQ(code_of([&] { session.speak({0}, {}, quiet, cancel); }), code::invalid_argument);
    CHECK_EQ(code_of([&] { session.speak({70}, {}, quiet, cancel); }), code::invalid_argument);
    CHECK_EQ(code_of([&] { Model::load("no such file"); }), code::model_not_found);
    CHECK_EQ(code_of([&] { Model::load(MOSS_SOURCE_DIR "/package.json"); }), code::model_format);
    CHECK_EQ(code_of([&] { Model::load(tiny, {-1}); }), code::invalid_argument);
}

TEST(a_single_sample_is_speech) {
    Session session(model(), 1);
    Request request = spoken(1);
    request.samples.resize(1);
    CHECK(!generate(session, request).units.empty());
}

TEST(threads_share_a_model) {
    Session session(model(), 1);
    const Reply expected = generate(session, spoken(1));
    std::vector<Reply> replies(3);
    std::vector<std::thread> threads;
    for (Reply & reply : replies) {
        threads.emplace_back([&reply] {
            Session own(model(), 1);
            reply = generate(own, spoken(1));
        });
    }
    for (std::thread & thread : threads) {
        thread.join();
    }
    for (const Reply & reply : replies) {
        CHECK(same(reply, expected));
    }
}

TEST(a_running_computation_is_cancelled_from_another_thread) {
    Session session(model(), 1);
    CancelToken cancel;
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        cancel.cancel();
    });
    const std::string code = code_of([&] {
        while (true) {
            session.encode(hum(30), cancel);
        }
    });
    other.join();
    CHECK_EQ(code, code::aborted);
    CancelToken fresh;
    CHECK(!session.encode(hum(1), fresh).units.empty());
}
