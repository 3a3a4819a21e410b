#include "core/turn/synthesizer.h"

#include <algorithm>
#include <cmath>

namespace moss {

namespace {

MossError out_of_range(const char * option, const std::string & expected, double found) {
    return {code::invalid_argument,
            std::string(option) + ": expected " + expected,
            {{"option", option}, {"expected", expected}, {"found", found}}};
}

void check_index(const char * option, int index, size_t count) {
    if (index < 0 || index >= static_cast<int>(count)) {
        throw out_of_range(option, "0 to " + std::to_string(static_cast<int>(count) - 1), index);
    }
}

bool is_one_of(const std::string & unit, std::initializer_list<const char *> marks) {
    return std::find(marks.begin(), marks.end(), unit) != marks.end();
}

} // namespace

Synthesizer::Synthesizer(const Model::Parts & parts, Runner & runner, const Speaking & speaking, uint64_t seed,
                         double max_seconds)
    : parts_(parts), runner_(runner), speaking_(speaking), seed_(seed), gain_(std::pow(10.0F, speaking.energy / 20)),
      max_samples_(static_cast<size_t>(max_seconds * parts.info.sample_rate)) {
    if (!parts.voice) {
        throw MossError(code::unsupported, "this model has no decoder: it cannot speak");
    }
    if (speaking.voice != -1) {
        check_index("voice", speaking.voice, parts.info.voices.size());
    }
    if (!speaking.mix.empty()) {
        if (!parts.voice->facts().mixes_voices) {
            throw MossError(code::unsupported, "the speakers of this voice cannot be mixed", {{"component", "voice"}});
        }
        speaking_.voice = std::max(speaking.voice, 0); // the voice speaks with the shares in its place
    }
    check_index("emotion", speaking.emotion, std::max<size_t>(parts.info.emotions.size(), 1));
    const auto check = [](const char * option, float low, float high, const char * range, float found) {
        if (!(found >= low && found <= high)) {
            throw out_of_range(option, range, static_cast<double>(found));
        }
    };
    check("speed", 0.5F, 2, "0.5 to 2", speaking.speed);
    check("pitch", -12, 12, "-12 to 12", speaking.pitch);
    check("energy", -20, 20, "-20 to 20", speaking.energy);
    check("pause", 0, 4, "0 to 4", speaking.pause);
    if (speaking.pause != 1 && !parts.voice->facts().scales_pauses) {
        throw MossError(code::unsupported, "the pauses of this voice cannot be changed", {{"component", "pause"}});
    }
}

void Synthesizer::push(int32_t unit, const UnitProsody & prosody) {
    units_.push_back(unit);
    prosody_.push_back({prosody.speed, prosody.pitch + speaking_.pitch, prosody.gain * gain_});
    if (speaking_.voice == -1 && parts_.info.voice_text.empty()) {
        const std::string & symbol = parts_.info.units[static_cast<size_t>(unit)];
        if (is_one_of(symbol, {"→", "↗", "↓", "↘"})) {
            speaking_.voice = parts_.info.default_voice_zh;
        } else if (is_one_of(symbol, {"ˈ", "ˌ"})) {
            speaking_.voice = parts_.info.default_voice_en;
        }
    }
    if (speaking_.voice != -1) {
        feed();
    }
}

void Synthesizer::finish() {
    if (full()) {
        return;
    }
    if (speaking_.voice == -1) {
        speaking_.voice = parts_.info.default_voice_en;
    }
    feed();
    stream_->finish();
}

/// Passes the waiting units to the voice.
void Synthesizer::feed() {
    if (!stream_) {
        stream_ = parts_.voice->open(runner_, speaking_, seed_);
    }
    stream_->push(units_.data(), units_.size(), prosody_.data());
    units_.clear();
    prosody_.clear();
}

bool Synthesizer::next(std::vector<float> & audio) {
    const std::vector<float> samples = stream_ && !full() ? stream_->next() : std::vector<float>();
    const size_t count = std::min(samples.size(), max_samples_ - samples_);
    audio.insert(audio.end(), samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(count));
    samples_ += count;
    cut_ = cut_ || count < samples.size();
    return count > 0;
}

std::vector<double> Synthesizer::ends() const {
    const std::vector<size_t> samples = stream_ ? stream_->ends() : std::vector<size_t>();
    std::vector<double> seconds(samples.size());
    std::transform(samples.begin(), samples.end(), seconds.begin(),
                   [&](size_t sample) { return static_cast<double>(sample) / parts_.info.sample_rate; });
    return seconds;
}

double Synthesizer::seconds() const {
    return static_cast<double>(samples_) / parts_.info.sample_rate;
}

} // namespace moss
