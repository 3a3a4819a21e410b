#include "nccf.h"

#include <algorithm>
#include <cmath>

namespace moss {

Nccf::Nccf(std::vector<int> lags) : lags_(std::move(lags)), history_(static_cast<size_t>(lags_.back()) + hop_length) {
    clear();
}

void Nccf::clear() {
    std::fill(history_.begin(), history_.end(), 0.0f);
    previous_.assign(lags_.size(), {});
    previous_energy_ = 0;
}

void Nccf::push(const float * samples, size_t count, std::vector<float> & frames) {
    const size_t longest = static_cast<size_t>(lags_.back());
    const float * block = history_.data() + longest;
    for (size_t begin = 0; begin + hop_length <= count; begin += hop_length) {
        std::copy(samples + begin, samples + begin + hop_length, history_.begin() + static_cast<long>(longest));
        double energy = 0;
        for (int i = 0; i < hop_length; i++) {
            energy += double(block[i]) * block[i];
        }
        for (size_t n = 0; n < lags_.size(); n++) {
            const float * earlier = block - lags_[n];
            Sums sums;
            for (int i = 0; i < hop_length; i++) {
                sums.cross += double(block[i]) * earlier[i];
                sums.delayed += double(earlier[i]) * earlier[i];
            }
            const double product = (energy + previous_energy_) * (sums.delayed + previous_[n].delayed);
            frames.push_back(static_cast<float>((sums.cross + previous_[n].cross) / std::sqrt(product + 1e-6)));
            previous_[n] = sums;
        }
        frames.push_back(static_cast<float>(0.1 * std::log((energy + previous_energy_) / (2 * hop_length) + 1e-7)));
        previous_energy_ = energy;
        std::copy(history_.end() - static_cast<long>(longest), history_.end(), history_.begin());
    }
}

} // namespace moss
