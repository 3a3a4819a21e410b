#include "istft_source.h"

#include "../io/error.h"

#include <algorithm>
#include <cmath>

namespace moss {

namespace {

constexpr double pi = 3.14159265358979323846;
constexpr double sine_amplitude = 0.1;
constexpr float voiced_above = 10.0F; // Hz
constexpr double least_part = 1e-7;   // imaginary parts and magnitudes below this are rounding errors and become 0
constexpr float highest_f0 = 1e6F;    // Hz; frames with a higher F0 or NaN are unvoiced

double fraction(double turns) {
    return turns - std::floor(turns);
}

/// The index of sample i in a signal of `count` samples with reflection padding.
int64_t mirrored(int64_t i, int64_t count) {
    i = std::abs(i);
    return i < count ? i : 2 * (count - 1) - i;
}

} // namespace

HarmonicSource::HarmonicSource(const IstftConfig & config, const SourceMixture & mixture)
    : config_(config), mixture_(mixture) {
    const int size = config.istft_n_fft;
    for (int n = 0; n < size; n++) {
        const double window = 0.5 - 0.5 * std::cos(2 * pi * n / size);
        for (int k = 0; k < config.bins(); k++) {
            const double angle = 2 * pi * (n * k % size) / size;
            cosines_.push_back(window * std::cos(angle));
            sines_.push_back(-window * std::sin(angle));
        }
    }
}

int64_t HarmonicSource::lag(const IstftConfig & config) {
    const int64_t hop = config.istft_hop;
    const int64_t half_frame =
        config.hop_length() -
        config.hop_length() / 2; // the phase in the second half of a frame depends on F0 of the next frame
    return (half_frame + config.istft_n_fft / 2 + hop - 1) / hop - 1;
}

void HarmonicSource::push(const float * f0, int64_t count, bool last) {
    if (finished_) {
        throw MossError(code::internal, "the source is finished");
    }
    for (int64_t t = 0; t < count; t++) {
        const float pitch = std::fabs(f0[t]) <= highest_f0 ? f0[t] : 0.0F;
        const bool voiced = pitch > voiced_above;
        Turns increment{}; // growth of the phases in the time of a frame
        for (size_t k = 0; k < source_harmonics; k++) {
            const double order = static_cast<double>(k + 1);
            increment[k] = fraction(static_cast<double>(pitch) * order / config_.sample_rate) *
                           static_cast<double>(config_.hop_length());
        }
        // The phase is linear from the middle of one frame to the middle of the next. It is constant before the middle
        // of the first frame and after the middle of the last.
        if (started_) {
            add_half(Half::second, increment, voiced_);
            add_half(Half::first, increment, voiced);
        }
        for (size_t k = 0; k < source_harmonics; k++) {
            middle_[k] = fraction(middle_[k] + increment[k]);
        }
        if (!started_) {
            add_half(Half::first, {}, voiced);
        }
        started_ = true;
        voiced_ = voiced;
    }
    if (last && started_) {
        add_half(Half::second, {}, voiced_);
    }
    finished_ = last;
    analyse();
}

/// Appends the samples of half a frame: the second half of the frame whose middle has the phases middle_, or the first
/// half of the frame after that. The phases grow by `increment` in the time of a frame.
void HarmonicSource::add_half(Half half, const Turns & increment, bool voiced) {
    const int64_t hop = config_.hop_length();
    const int64_t first = half == Half::first ? 0 : hop / 2;
    const int64_t last = half == Half::first ? hop / 2 : hop;
    if (!voiced) {
        samples_.resize(samples_.size() + static_cast<size_t>(last - first), std::tanh(mixture_.bias));
        return;
    }
    const double frame = static_cast<double>(hop);
    const double along = (static_cast<double>(first) + 0.5) / frame + (half == Half::first ? 0.5 : -0.5);
    std::array<double, source_harmonics> sine{}, cosine{}, step_sine{}, step_cosine{};
    for (size_t k = 0; k < source_harmonics; k++) {
        const double phase = 2 * pi * fraction(middle_[k] + along * increment[k]);
        const double step = 2 * pi * fraction(increment[k] / frame);
        sine[k] = sine_amplitude * std::sin(phase);
        cosine[k] = sine_amplitude * std::cos(phase);
        step_sine[k] = std::sin(step);
        step_cosine[k] = std::cos(step);
    }
    for (int64_t i = first; i < last; i++) {
        double sum = mixture_.bias;
        for (size_t k = 0; k < source_harmonics; k++) {
            sum += mixture_.weights[k] * sine[k];
            const double turned = sine[k] * step_cosine[k] + cosine[k] * step_sine[k];
            cosine[k] = cosine[k] * step_cosine[k] - sine[k] * step_sine[k];
            sine[k] = turned;
        }
        samples_.push_back(std::tanh(sum));
    }
}

/// Computes the frames of the spectrum whose samples are all known, or all frames if the stream is finished.
void HarmonicSource::analyse() {
    const int64_t size = config_.istft_n_fft;
    const int64_t hop = config_.istft_hop;
    const auto bins = static_cast<size_t>(config_.bins());
    const int64_t count = samples_first_ + static_cast<int64_t>(samples_.size());
    if (count <= size / 2) { // the first frame needs more than size / 2 samples for its reflection padding
        return;
    }
    const int64_t known = finished_ ? count / hop + 1 : (count - size / 2) / hop + 1;
    std::vector<double> real(bins), imaginary(bins);
    for (; end_ < known; end_++) {
        std::fill(real.begin(), real.end(), 0.0);
        std::fill(imaginary.begin(), imaginary.end(), 0.0);
        for (int64_t n = 0; n < size; n++) {
            const int64_t at = mirrored(end_ * hop - size / 2 + n, count);
            const double sample = samples_[static_cast<size_t>(at - samples_first_)];
            const double * cosines = cosines_.data() + static_cast<size_t>(n) * bins;
            const double * sines = sines_.data() + static_cast<size_t>(n) * bins;
            for (size_t k = 0; k < bins; k++) {
                real[k] += sample * cosines[k];
                imaginary[k] += sample * sines[k];
            }
        }
        const size_t start = spectrum_.size();
        spectrum_.resize(start + 2 * bins);
        for (size_t k = 0; k < bins; k++) {
            const double part = std::fabs(imaginary[k]) < least_part ? 0.0 : imaginary[k];
            const double magnitude = std::hypot(real[k], part);
            const double phase = magnitude < least_part ? 0.0 : std::atan2(part, real[k]);
            spectrum_[start + k] = static_cast<float>(magnitude);
            spectrum_[start + bins + k] = static_cast<float>(phase);
        }
    }
    const int64_t needed =
        std::max(samples_first_, end_ * hop - size); // enough also for the reflection padding at the end
    samples_.erase(samples_.begin(), samples_.begin() + (needed - samples_first_));
    samples_first_ = needed;
}

std::vector<float> HarmonicSource::frames(int64_t first, int64_t count) const {
    const int64_t channels = config_.spectrum_channels();
    std::vector<float> result(static_cast<size_t>(count * channels), 0.0F);
    const int64_t from = std::max<int64_t>(first, 0);
    const int64_t to = std::min(first + count, end_);
    if (from < std::min(kept_, to) || (first + count > end_ && !finished_)) {
        throw MossError(code::internal, "the source does not hold the requested frames");
    }
    if (from < to) {
        std::copy_n(spectrum_.begin() + (from - kept_) * channels, (to - from) * channels,
                    result.begin() + (from - first) * channels);
    }
    return result;
}

void HarmonicSource::forget(int64_t first) {
    const int64_t kept = std::clamp(first, kept_, end_);
    spectrum_.erase(spectrum_.begin(), spectrum_.begin() + (kept - kept_) * config_.spectrum_channels());
    kept_ = kept;
}

} // namespace moss
