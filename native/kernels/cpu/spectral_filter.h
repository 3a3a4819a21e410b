// Complex spectra from log magnitudes and phases, as an operation of a ggml graph.

#pragma once

#include "ggml.h"

#include <cstdint>

namespace moss {

/// The layout of a frame's channels: for each sub-band, first one value a bin (log magnitudes, or real parts), then the
/// other (phases, or imaginary parts).
struct SpectrumShape {
    int64_t subbands = 0;
    int64_t bins = 0;
    int64_t channels() const { return subbands * 2 * bins; }
};

/// Applies filters exp(min(m, max_log)) e^(i p) with log magnitude m and phase p to carrier spectra. x [filters *
/// channels, T] F32 with contiguous rows holds one filter for each carrier, one after the other. Returns the sum over
/// the carriers of filter times carrier; carriers and result are [channels, T] F32, real and imaginary parts. Without
/// carriers, x is one filter and the result is the filter itself. Throws std::invalid_argument if the shapes do not
/// match.
ggml_tensor * spectral_filter(ggml_context * context, ggml_tensor * x, ggml_tensor * const * carriers,
                              int carrier_count, const SpectrumShape & shape, float max_log);

} // namespace moss
