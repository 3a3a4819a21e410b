// Gaussian noise that depends on its place only, so that a stream draws what the whole would.

#pragma once

#include <cstdint>

namespace moss {

/// What noise is for: each use has numbers of its own.
enum class NoiseUse : uint32_t { prior = 0, source = 1, duration = 2 };

/// Standard normal values of frame `frame`, `channels` of them: Philox4x32-10 (Salmon et al. 2011) with the seed as its
/// key and (channel / 4, use, frame's low and high half) as its counter; each block's four words give four values by
/// Box and Muller.
void normal_noise(uint64_t seed, NoiseUse use, int64_t frame, int64_t channels, float * to);

} // namespace moss
