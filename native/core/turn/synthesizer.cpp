#include "core/turn/synthesizer.h"

#include <algorithm>

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
    : parts_(parts), runner_(runner), voice_(speaking.voice),
      max_samples_(static_cast<size_t>(max_seconds * parts.info.sample_rate)) {
    if (!parts.decoder) {
        throw MossError(code::unsupported, "this model has no decoder: it cannot speak");
    }
    if (voice_ != -1) {
        check_index("voice", voice_, parts.info.voices.size());
    }
    check_index("emotion", speaking.emotion, parts.info.emotions.size());
    if (!(speaking.speed >= 0.5F && speaking.speed <= 2)) {
        throw out_of_range("speed", "0.5 to 2", static_cast<double>(speaking.speed));
    }
    options_.speed = speaking.speed;
    options_.emotion = speaking.emotion;
    options_.seed = seed;
    options_.noise_scale = speaking.noise_scale.value_or(options_.noise_scale);
}

void Synthesizer::push(int32_t unit, std::vector<float> & audio, const UnitProsody & prosody) {
    units_.push_back(unit);
    prosody_.push_back(prosody);
    if (voice_ == -1) {
        const std::string & symbol = parts_.info.units[static_cast<size_t>(unit)];
        if (is_one_of(symbol, {"→", "↗", "↓", "↘"})) {
            voice_ = parts_.info.default_voice_zh;
        } else if (is_one_of(symbol, {"ˈ", "ˌ"})) {
            voice_ = parts_.info.default_voice_en;
        }
    }
    if (voice_ != -1) {
        feed(audio);
    }
}

void Synthesizer::finish(std::vector<float> & audio) {
    if (voice_ == -1) {
        voice_ = parts_.info.default_voice_en;
    }
    if (!full()) {
        feed(audio);
        append(stream_->finish(), audio);
    }
}

void Synthesizer::feed(std::vector<float> & audio) {
    if (!stream_) {
        options_.voice = voice_;
        stream_.emplace(*parts_.decoder, runner_, options_);
    }
    append(stream_->push(units_.data(), units_.size(), prosody_.data()), audio);
    units_.clear();
    prosody_.clear();
}

void Synthesizer::append(const std::vector<float> & samples, std::vector<float> & audio) {
    const size_t count = std::min(samples.size(), max_samples_ - samples_);
    audio.insert(audio.end(), samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(count));
    samples_ += count;
    cut_ = cut_ || count < samples.size();
}

double Synthesizer::seconds() const {
    return static_cast<double>(samples_) / parts_.info.sample_rate;
}

} // namespace moss
