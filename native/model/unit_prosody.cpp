#include "unit_prosody.h"

#include <algorithm>
#include <cmath>

namespace moss {

void FrameGains::push(float gain, int frames) {
    if (gains_.empty()) {
        gains_.push_back(gain);
    }
    gains_.insert(gains_.end(), static_cast<size_t>(frames), gain);
    neutral_ = neutral_ && gain == 1.0F;
}

void FrameGains::apply(std::vector<float> & audio) {
    for (float & value : audio) {
        if (gains_.size() < 2) {
            break; // samples beyond the last frame are left unchanged
        }
        if (!neutral_) {
            const float share = static_cast<float>(sample_ + 1) / static_cast<float>(hop_);
            const float gain = gains_[0] + share * (gains_[1] - gains_[0]);
            const float limit = std::max(1.0F, std::abs(value)); // a unit with gain below 1 is not clipped
            value = std::clamp(value * gain, -limit, limit);
        }
        if (++sample_ == hop_) {
            sample_ = 0;
            gains_.pop_front();
        }
    }
}

} // namespace moss
