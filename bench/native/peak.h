// What this machine could do at best: the limits of a roofline.

#pragma once

#include <cstddef>

namespace moss::bench {

/// Multiply-adds a second of one core, from registers alone, in the widest instructions of this CPU that our kernels use; 0
/// where it has none of that type.
struct Peak {
    double f32 = 0;
    double bf16 = 0;
    double int8 = 0;
    double int16 = 0;
};

Peak measure_peak();

/// Bytes a second that `threads` threads read together from memory, of buffers larger than any cache.
double measure_bandwidth(int threads);

/// Seconds of computation: of the processor where one thread computes, which others on the machine do not disturb;
/// of the wall clock otherwise.
double seconds(int threads);

} // namespace moss::bench
