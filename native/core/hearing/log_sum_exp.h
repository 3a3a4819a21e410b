#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace moss {

/// log(sum(exp(logits))) of `count` > 0 logits, which is subtracted from logits to get log probabilities.
inline double log_sum_exp(const float * logits, size_t count) {
    const double peak = *std::max_element(logits, logits + count);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += std::exp(logits[i] - peak);
    }
    return peak + std::log(sum);
}

} // namespace moss
