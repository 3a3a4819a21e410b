#include "rope_shift.h"

#include "ggml.h"

#include <algorithm>
#include <cmath>

namespace moss {

RopeShift::RopeShift(const RopeConfig & rope, const std::vector<float> & factors, int dim, int distance)
    : interleaved_(rope.interleaved) {
    float corrected[2] = {0, 0}; // the pairs between which YaRN goes over from extrapolated to interpolated angles
    ggml_rope_yarn_corr_dims(dim, rope.original_context_length, rope.freq_base, rope.beta_fast, rope.beta_slow,
                             corrected);
    for (int pair = 0; pair < dim / 2; pair++) {
        double angle = distance * std::pow(double(rope.freq_base), -2.0 * pair / dim);
        angle /= factors.empty() ? 1.0 : double(factors[static_cast<size_t>(pair)]);
        const double ramp = (pair - double(corrected[0])) / std::max(1e-3, double(corrected[1]) - corrected[0]);
        const double extrapolated = rope.ext_factor * (1 - std::clamp(ramp, 0.0, 1.0)); // 0 without YaRN
        angle *= rope.freq_scale * (1 - extrapolated) + extrapolated;
        cos_.push_back(static_cast<float>(std::cos(angle)));
        sin_.push_back(static_cast<float>(std::sin(angle)));
    }
}

void RopeShift::rotate(float * key) const {
    const size_t pairs = cos_.size(), step = interleaved_ ? 2 : 1, apart = interleaved_ ? 1 : pairs;
    for (size_t i = 0; i < pairs; i++) {
        float &a = key[i * step], &b = key[i * step + apart];
        const float turned = a * cos_[i] - b * sin_[i];
        b = a * sin_[i] + b * cos_[i];
        a = turned;
    }
}

} // namespace moss
