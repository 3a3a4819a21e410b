// Gaussian noise whose values depend only on their position, so that a stream draws the same values however it is cut
// into pieces.

#pragma once

#include <cstdint>

namespace moss {

/// The use of the noise: each use has a random sequence of its own.
enum class NoiseUse : uint32_t { prior = 0, source = 1, duration = 2 };

/// Writes `channels` standard normal values for frame `frame`. The generator is Philox4x32-10 (Salmon et al. 2011) with
/// the seed as its key and (channel / 4, use, low and high half of the frame) as its counter; the four words of each
/// block give four values by the Box-Muller transform.
void normal_noise(uint64_t seed, NoiseUse use, int64_t frame, int64_t channels, float * to);

} // namespace moss
