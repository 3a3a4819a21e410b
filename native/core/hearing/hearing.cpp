#include "core/hearing/hearing.h"

#include "core/hearing/transcript.h"

#include <cmath>

namespace moss {

namespace {

/// The CTC hypothesis of a recording that is encoded in overlapping windows. It may be hours long.
HeardSounds hear_units(const Model::Parts & parts, Runner & runner, const std::vector<float> & samples,
                       const Progress & progress) {
    const double seconds = static_cast<double>(samples.size()) / parts.info.input_sample_rate;
    std::vector<int32_t> path;
    parts.listener->hear(runner, samples.data(), samples.size(), {}, [&](EncoderFrames && frames, int64_t total) {
        append_likeliest(frames.logits, static_cast<int>(parts.info.units.size()), path);
        if (progress) {
            progress(seconds * static_cast<double>(path.size()) / static_cast<double>(total));
        }
    });
    HeardSounds sounds;
    sounds.units = ctc_greedy(path, parts.info.frame_seconds, seconds);
    return sounds;
}

} // namespace

void check_samples(const std::vector<float> & samples) {
    for (size_t i = 0; i < samples.size(); i++) {
        if (!std::isfinite(samples[i])) {
            throw MossError(code::invalid_argument,
                            "sample " + std::to_string(i) + " of the speech is not a finite number",
                            {{"option", "samples"}, {"index", static_cast<double>(i)}});
        }
    }
}

void check_speech(const Model::Parts & parts, const std::vector<float> & samples, double max_seconds) {
    if (!parts.listener) {
        throw MossError(code::unsupported, "this model has no encoder: it cannot hear");
    }
    const double seconds = static_cast<double>(samples.size()) / parts.info.input_sample_rate;
    if (samples.empty() || seconds > max_seconds) {
        throw MossError(code::audio_length,
                        samples.empty()
                            ? "the speech is empty"
                            : "the speech is longer than the " + std::to_string(static_cast<int>(max_seconds)) +
                                  " seconds that this model can process at once",
                        {{"seconds", seconds}, {"limit", max_seconds}});
    }
    check_samples(samples);
}

std::vector<Span> utterances_of(const Model::Parts & parts, Runner & runner, const std::vector<float> & samples,
                                bool vad) {
    check_speech(parts, samples, vad ? parts.info.max_input_seconds : parts.info.max_turn_seconds);
    if (!vad || !parts.info.finds_speech) {
        return {{0, samples.size()}};
    }
    return find_utterances(*parts.vad, runner, samples);
}

Heard hear(const Model::Parts & parts, Runner & runner, Listener::State & state, const std::vector<float> & samples,
           const Span & span) {
    Heard heard;
    state.clear();
    parts.listener->push(runner, state, samples.data() + span.begin, span.size(), heard);
    parts.listener->finish(runner, state, heard);
    return heard;
}

HeardSounds heard_sounds(const Model::Parts & parts, const Heard & heard, const Span & span,
                         const std::atomic<bool> & cancel) {
    const double frame_seconds = parts.info.frame_seconds;
    std::vector<int32_t> path;
    append_likeliest(heard.encoder.logits, static_cast<int>(parts.info.units.size()), path);
    HeardSounds sounds;
    const double rate = parts.info.input_sample_rate;
    sounds.units = ctc_greedy(path, frame_seconds, static_cast<double>(span.size()) / rate);
    const auto offset = static_cast<float>(static_cast<double>(span.begin) / rate);
    for (HeardUnit & unit : sounds.units) {
        unit.start += offset;
        unit.end += offset;
    }
    if (parts.syllables) {
        auto mandarin = parts.syllables->hear(heard.encoder.logits, heard.tone.logits, frame_seconds, &cancel);
        sounds.pinyin = std::move(mandarin.pinyin);
        sounds.mandarin = mandarin.mandarin;
    }
    return sounds;
}

void append_sounds(HeardSounds & sounds, HeardSounds && next) {
    // The language of several utterances is that of the one with the most units.
    sounds.mandarin = next.units.size() > sounds.units.size() ? next.mandarin : sounds.mandarin;
    sounds.units.insert(sounds.units.end(), next.units.begin(), next.units.end());
    sounds.pinyin += (sounds.pinyin.empty() || next.pinyin.empty() ? "" : " ") + next.pinyin;
}

Listener::State & Hearing::state() {
    if (!state_) {
        state_.emplace(*parts_.listener, parts_.chunk_size());
    }
    return *state_;
}

Heard Hearing::hear(const std::vector<float> & samples, const Span & span) {
    return moss::hear(parts_, runner_, state(), samples, span);
}

HeardSounds Hearing::encode(const std::vector<float> & samples, const Progress & progress) {
    if (parts_.listener && parts_.info.units.empty()) {
        throw MossError(code::unsupported,
                        "this encoder has no CTC head: it has hidden states, but cannot recognize units");
    }
    check_speech(parts_, samples, parts_.listener ? parts_.encode_seconds() : 0);
    if (parts_.hears_in_windows()) {
        return hear_units(parts_, runner_, samples, progress);
    }
    const Span whole{0, samples.size()};
    return heard_sounds(parts_, hear(samples, whole), whole, runner_.cancel);
}

} // namespace moss
