// Rational-quadratic splines (Durkan et al. 2019), the flows of VITS' stochastic duration predictor, as an operation of
// a ggml graph.

#pragma once

#include "ggml.h"

#include <cstdint>

namespace moss {

struct SplineShape {
    int64_t bins = 0;        ///< 1 .. 256
    float tail_bound = 5.0F; ///< outside of [-tail_bound, tail_bound] the spline is the identity
    float scale = 1.0F;      ///< multiplies the unnormalised widths and heights
};

/// The inverse of one spline for each frame. x [1, T]; parameters [3 bins - 1, T]: unnormalised widths, heights, and
/// the derivatives at the inner knots (those at the ends are 1) -> [1, T]. Both F32 and contiguous. Throws
/// std::invalid_argument if the shapes do not match.
ggml_tensor * inverse_spline(ggml_context * context, ggml_tensor * x, ggml_tensor * parameters,
                             const SplineShape & shape);

} // namespace moss
