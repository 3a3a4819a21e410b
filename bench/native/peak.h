// The peak performance of this machine, which gives the limits of a roofline.

#pragma once

#include <cstddef>

namespace moss::bench {

/// The multiply-adds a second of one core, from registers alone, with the widest instructions of this CPU that our
/// kernels use; 0 for a type without such instructions.
struct Peak {
    double f32 = 0;
    double bf16 = 0;
    double int8 = 0;
    double int16 = 0;
};

Peak measure_peak();

/// The bytes a second that `threads` threads together read from memory, from buffers larger than any cache.
double measure_bandwidth(int threads);

/// The current time in seconds: for one thread the processor time, which other programs do not disturb; otherwise the
/// wall-clock time.
double seconds(int threads);

} // namespace moss::bench
