// The snake activation (Ziyin et al. 2020) that BigVGAN and iSTFTNet use, applied after a scale and a shift of each
// channel, as one operation of a ggml graph.

#pragma once

#include "ggml.h"

#include <cstdint>
#include <vector>

namespace moss {

/// The constants of each channel, [C] each. They must outlive every graph that uses them.
struct SnakeConstants {
    std::vector<float> scale, shift;
    std::vector<float> alpha, inverse; ///< alpha of the snake, and 1 / alpha

    int64_t channels() const { return static_cast<int64_t>(scale.size()); }
};

/// Writes z + sin(alpha z)^2 / alpha, where z = scale x + shift, to the frames [first, first + T) of `into`, with an
/// error of at most 2e-7 / alpha. x is [C, T] F32 and may be these frames themselves; `into` is [C, N] F32 and
/// contiguous. Returns `into` with the result. Throws std::invalid_argument if a shape does not fit.
ggml_tensor * snake(ggml_context * context, ggml_tensor * x, const SnakeConstants & constants, ggml_tensor * into,
                    int64_t first);

} // namespace moss
