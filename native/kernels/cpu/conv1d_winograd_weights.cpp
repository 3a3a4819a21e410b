// The transform of weights, computed once when they are packed.

#include "conv1d_winograd.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace moss {

void winograd_weights(const WinogradScheme & scheme, int64_t kernel, int64_t count, const float * weights, float * to) {
    std::vector<double> points = {0.0};
    for (int k = 0; k < scheme.pairs; k++) {
        points.push_back(scheme.points[k]);
        points.push_back(-scheme.points[k]);
    }
    const int64_t segments = scheme.segments(kernel);
    std::vector<double> sums(static_cast<size_t>(count));
    for (size_t p = 0; p <= points.size(); p++) { // the last point is infinity, whose value is the highest coefficient
        double scale = 1;
        for (size_t q = 0; p < points.size() && q < points.size(); q++) {
            scale *= q == p ? 1 : points[p] - points[q];
        }
        for (int64_t segment = 0; segment < segments; segment++, to += count) {
            const int64_t first = segment * scheme.outputs;
            const int64_t end = segment + 1 < segments ? first + scheme.outputs : kernel;
            std::fill(sums.begin(), sums.end(), 0.0);
            for (int64_t tap = first; tap < end; tap++) {
                const auto power = static_cast<double>(tap - first);
                const double factor = p < points.size() ? std::pow(points[p], power) / scale
                                                        : (tap - first == scheme.taps() - 1 ? 1.0 : 0.0);
                const float * weight = weights + tap * count;
                for (int64_t i = 0; i < count; i++) {
                    sums[static_cast<size_t>(i)] += factor * static_cast<double>(weight[i]);
                }
            }
            std::transform(sums.begin(), sums.end(), to, [](double sum) { return static_cast<float>(sum); });
        }
    }
}

} // namespace moss
