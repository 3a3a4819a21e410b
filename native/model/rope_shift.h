#pragma once

#include "config.h"

#include <vector>

namespace moss {

/// Moves keys to other positions. RoPE rotates each pair of a key's channels by an angle that is proportional to the
/// position, so a key of position p becomes that of position p + distance by one more rotation. In F32 the result
/// differs from a key that was computed there by the rounding of the angles, about 1e-7 of the key for each position of
/// the distance.
class RopeShift {
  public:
    /// `factors` [dim / 2] are divisors of the frequencies; empty if all are 1. `dim` is the length of a head's key.
    RopeShift(const RopeConfig & rope, const std::vector<float> & factors, int dim, int distance);

    /// Rotates the key of a head, [dim].
    void rotate(float * key) const;

  private:
    bool interleaved_;
    std::vector<float> cos_, sin_; // of each pair's angle
};

} // namespace moss
