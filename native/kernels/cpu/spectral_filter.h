// Spectra from log magnitudes and phases, as an operation of a ggml graph.

#pragma once

#include "ggml.h"

#include <cstdint>

namespace moss {

/// Layout of a frame's channels: for each sub-band the first parts of its bins (log magnitudes, real parts), then the
/// second (phases, imaginary parts).
struct SpectrumShape {
    int64_t subbands = 0;
    int64_t bins = 0;
    int64_t channels() const { return subbands * 2 * bins; }
};

/// Filters of log magnitude m and phase p, exp(min(m, max_log)) e^(i p). x [filters * channels, T] F32 with contiguous
/// rows holds one filter a carrier, one after the other: -> the sum over the carriers of filter times carrier, each
/// [channels, T] F32, real and imaginary parts. Without carriers x is one filter, and the spectrum itself.
/// Throws std::invalid_argument when a shape does not fit.
ggml_tensor * spectral_filter(ggml_context * context, ggml_tensor * x, ggml_tensor * const * carriers,
                              int carrier_count, const SpectrumShape & shape, float max_log);

} // namespace moss
