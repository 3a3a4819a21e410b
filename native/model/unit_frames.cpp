#include "unit_frames.h"

#include "../graph/graph.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace moss {

namespace {

constexpr size_t least_units = 4;  // for fewer units, the overhead of a graph costs more time than starting early saves
constexpr size_t most_units = 256; // limits the memory of a graph
constexpr int longest_unit = 10;   // seconds
const float semitone = std::log(2.0F) / 12;

} // namespace

UnitFrames::UnitFrames(const UnitFramesConfig & config, const Weights & weights)
    : config_(config), text_(config, weights), duration_(config, weights) {
    Weights::check_state("moss-speech.decoder.mask_left",
                         double(config.block_count) * (double(config.mask_left) + config.mask_right) *
                             config.hidden_size * 2 * sizeof(float),
                         weights.bytes("decoder."));
}

int UnitFrames::lookahead_units() const {
    return text_.lookahead() + DurationPredictor::lookahead;
}

UnitFrames::Stream::Stream(const UnitFrames & network, Runner & runner, StreamState & state)
    : network_(network), runner_(runner), text_(network.config_, state), duration_(network.config_, state) {}

void UnitFrames::Stream::add(int32_t unit, const UnitProsody & prosody, bool pause) {
    ids_.push_back(unit);
    waiting_.push_back({last_prosody_ = prosody, pause});
}

void UnitFrames::Stream::push(const int32_t * units, size_t count, const UnitProsody * prosody,
                              const std::function<void()> & ready) {
    const UnitFramesConfig & config = network_.config_;
    require_argument(!finished_, "the stream is finished");
    require_argument(std::all_of(units, units + count, [&](int32_t id) { return id >= 0 && id < config.unit_count; }),
                     "units must be between 0 and " + std::to_string(config.unit_count - 1));
    const auto prosody_of = [&](size_t i) { return prosody == nullptr ? UnitProsody() : prosody[i]; };
    if (!started_ && count > 0 && config.edge_unit >= 0) {
        add(config.edge_unit, prosody_of(0), true);
    }
    started_ = started_ || count > 0;
    pushed_ += count;
    for (size_t i = 0; i < count; i++) {
        add(units[i], prosody_of(i), config.pauses[static_cast<size_t>(units[i])]);
        if (ids_.size() == most_units || (i + 1 == count && ids_.size() >= least_units)) {
            encode(false);
            ready();
        }
    }
}

bool UnitFrames::Stream::finish() {
    require_argument(!finished_, "the stream is finished");
    finished_ = true;
    if (started_) {
        if (network_.config_.edge_unit >= 0) {
            add(network_.config_.edge_unit, last_prosody_, true);
        }
        encode(true);
    }
    return started_;
}

/// Encodes the units in ids_, and predicts durations for the units whose following units are known.
void UnitFrames::Stream::encode(bool last) {
    const UnitFramesConfig & config = network_.config_;
    std::vector<float> hidden;
    std::vector<float> log_durations;
    Graph g(runner_);
    ggml_tensor * input =
        ids_.empty() ? nullptr : g.input(GGML_TYPE_I32, {static_cast<int64_t>(ids_.size())}, ids_.data());
    ggml_tensor * vector = g.input(GGML_TYPE_F32, {config.style_size}, style_.data());
    ggml_tensor * x = network_.text_.push(g, text_, input, vector, last); // [C, U]
    ggml_tensor * d = network_.duration_.push(g, duration_, x, last);     // [1, U']
    if (x != nullptr) {
        g.output(g.stage(x, "decoder.text"), hidden);
    }
    if (d != nullptr) {
        g.output(d, log_durations);
    }
    g.run();
    ids_.clear();
    for (auto first = hidden.begin(); first != hidden.end(); first += config.hidden_size) {
        units_.push_back({{first, first + config.hidden_size}, waiting_.front()});
        waiting_.pop_front();
    }
    const double most = static_cast<double>(longest_unit) * config.sample_rate / config.hop_length;
    for (const float value : log_durations) {
        // nearbyint rounds half to even, like torch.round. A NaN becomes one frame.
        const float rounded = std::nearbyint(std::exp(value) / (speed_ * units_[predicted_].spoken.prosody.speed));
        const int length = rounded >= 1.0F ? static_cast<int>(std::min<double>(rounded, most)) : 1;
        units_[predicted_++].frames = length;
        frames_ += length;
        durations_.push_back(length);
    }
}

std::vector<size_t> UnitFrames::Stream::ends() const {
    const size_t edges = network_.config_.edge_unit >= 0 ? 1 : 0; // before the first unit
    std::vector<size_t> ends;
    size_t frames = 0;
    for (size_t i = 0; i < std::min(durations_.size(), pushed_ + edges); i++) {
        frames += static_cast<size_t>(durations_[i]);
        if (i >= edges) {
            ends.push_back(frames * static_cast<size_t>(network_.config_.hop_length));
        }
    }
    return ends;
}

const std::vector<float> & UnitFrames::Stream::take(int count) {
    expanded_.clear();
    for (int i = 0; i < count; i++) {
        Unit & unit = units_.front();
        const auto length = static_cast<float>(unit.frames);
        expanded_.insert(expanded_.end(), unit.hidden.begin(), unit.hidden.end());
        expanded_.push_back((static_cast<float>(unit.done) + 0.5F) / length);
        expanded_.push_back(0.1F * length);
        const bool before_pause = units_.size() > 1 && units_[1].spoken.pause;
        traits_.push_back({unit.spoken.prosody.gain, unit.spoken.pause || before_pause});
        shifts_.waiting.push_back(unit.spoken.prosody.pitch * semitone / network_.config_.log_f0_std);
        if (++unit.done == unit.frames) {
            units_.pop_front();
            predicted_--;
        }
    }
    frames_ -= count;
    return expanded_;
}

} // namespace moss
