#include "noise.h"

#include <array>
#include <cmath>

namespace moss {

namespace {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
    for (int round = 0; round < 10; round++) {
        const uint64_t a = uint64_t{0xD2511F53} * counter[0];
        const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
        counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
                   static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
        key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
    }
    return counter;
}

} // namespace

void normal_noise(uint64_t seed, NoiseUse use, int64_t frame, int64_t channels, float * to) {
    const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
    const auto place = static_cast<uint64_t>(frame);
    for (int64_t channel = 0; channel < channels; channel += 4) {
        const std::array<uint32_t, 4> words = philox({static_cast<uint32_t>(channel / 4), static_cast<uint32_t>(use),
                                                      static_cast<uint32_t>(place), static_cast<uint32_t>(place >> 32)},
                                                     key);
        std::array<double, 4> values{};
        for (size_t i = 0; i < 4; i += 2) {
            const double radius =
                std::sqrt(-2.0 * std::log((words[i] + 0.5) / 4294967296.0)); // the argument is never 0
            const double angle = 6.283185307179586 * (words[i + 1] / 4294967296.0);
            values[i] = radius * std::cos(angle);
            values[i + 1] = radius * std::sin(angle);
        }
        for (int64_t i = 0; i < 4 && channel + i < channels; i++) {
            to[channel + i] = static_cast<float>(values[static_cast<size_t>(i)]);
        }
    }
}

} // namespace moss
