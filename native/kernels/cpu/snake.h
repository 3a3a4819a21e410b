// The periodic activation of BigVGAN and iSTFTNet (Ziyin et al. 2020), behind a scale and a shift of each channel, as
// an operation of a ggml graph.

#pragma once

#include "ggml.h"

#include <cstdint>
#include <vector>

namespace moss {

/// Its constants, [C] each. They outlive every graph that uses them.
struct SnakeConstants {
    std::vector<float> scale, shift;
    std::vector<float> alpha, inverse; ///< of the snake, and 1 / alpha

    int64_t channels() const { return static_cast<int64_t>(scale.size()); }
};

/// Frames first .. first + T of `into` [C, N] F32, contiguous, become z + sin(alpha z)^2 / alpha of z = scale x +
/// shift, within 2e-7 / alpha; x [C, T] F32 may be these frames themselves. Returns `into` with them. Throws
/// std::invalid_argument when a shape does not fit.
ggml_tensor * snake(ggml_context * context, ggml_tensor * x, const SnakeConstants & constants, ggml_tensor * into,
                    int64_t first);

} // namespace moss
