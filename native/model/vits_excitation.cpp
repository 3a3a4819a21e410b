#include "vits_excitation.h"

#include "noise.h"

#include "../io/error.h"

#include <algorithm>
#include <cmath>

namespace moss {

namespace {

constexpr double pi = 3.14159265358979323846;
constexpr double f0_low = 50.0; // Hz
constexpr double f0_high = 800.0;
constexpr double f0_step = 0.125; // F0 is rounded to this step, so that rounding errors do not accumulate in the phase
constexpr double harmonics_below = 7600.0;

/// The sum of cos(2 pi k turns) for k = 1 .. count, computed with the Dirichlet kernel.
double harmonics(double turns, double count) {
    const double half = pi * turns;
    if (std::fabs(half) < 1e-6) {
        return count;
    }
    return std::sin((2 * count + 1) * half) / (2 * std::sin(half)) - 0.5;
}

} // namespace

PulseTrain::PulseTrain(const DecoderConfig & config)
    : hop_(config.hop_length), sample_rate_(config.sample_rate), log_f0_mean_(config.log_f0_mean),
      log_f0_std_(config.log_f0_std) {}

void PulseTrain::push(float pitch, float voicing, std::vector<float> & samples) {
    double f0 = std::exp(static_cast<double>(pitch) * log_f0_std_ + log_f0_mean_);
    f0 = f0 >= f0_low ? std::min(f0, f0_high) : f0_low; // f0_low also if it is NaN
    f0 = std::nearbyint(f0 / f0_step) * f0_step;
    const auto level = static_cast<double>(voicing);
    if (!started_) {
        f0_ = f0;
        voicing_ = level;
        started_ = true;
    }
    for (int i = 0; i < hop_; i++) {
        const double along = static_cast<double>(i + 1) / hop_;
        const double f = f0_ + (f0 - f0_) * along;
        turns_ += f / sample_rate_;
        turns_ -= std::nearbyint(turns_);
        const double count = std::floor(harmonics_below / f);
        const double gain = std::sqrt(2.0 / count) * (voicing_ + (level - voicing_) * along);
        samples.push_back(static_cast<float>(harmonics(turns_, count) * gain));
    }
    f0_ = f0;
    voicing_ = level;
}

Excitation::Excitation(const DecoderConfig & config, uint64_t seed, int64_t context)
    : pulses_(config), seed_(seed), context_(context),
      stride_(static_cast<int64_t>(config.istft_hop) * config.subbands), channels_(config.spectrum_channels()),
      samples_(static_cast<size_t>(context), 0.0F) {}

void Excitation::push(float pitch, float voicing) {
    pulses_.push(pitch, voicing, samples_);
}

Excitation::Inputs Excitation::take(Graph & g, int64_t frames) {
    samples_.erase(samples_.begin(), samples_.begin() + taken_);
    taken_ = stride_ * frames;
    const int64_t count = context_ + taken_;
    if (static_cast<int64_t>(samples_.size()) < count) {
        throw MossError(code::internal, "the pulse train is behind the generator");
    }
    noise_.resize(static_cast<size_t>(channels_ * frames));
    for (int64_t i = 0; i < frames; i++) {
        normal_noise(seed_, NoiseUse::source, frame_++, channels_, noise_.data() + i * channels_);
    }
    return {g.input(GGML_TYPE_F32, {1, count}, samples_.data()),
            g.input(GGML_TYPE_F32, {channels_, frames}, noise_.data())};
}

} // namespace moss
