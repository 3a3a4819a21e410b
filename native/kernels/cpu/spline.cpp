#include "spline.h"

#include "op_params.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace moss {

namespace {

constexpr int64_t most_bins = 256;
constexpr float least_width = 1e-3F;      // the least width of a bin, as a share of the interval; also its least height
constexpr float least_derivative = 1e-3F; // at a knot

struct Parameters {
    int32_t bins;
    float tail_bound, scale;
};

/// The knots between which the bins lie: the softmax of the sizes, scaled to the interval. `knots` holds bins + 1
/// values.
void place_knots(const float * sizes, const Parameters & p, float * knots) {
    float largest = -INFINITY;
    for (int32_t i = 0; i < p.bins; i++) {
        largest = std::max(largest, sizes[i] * p.scale);
    }
    float sum = 0.0F;
    for (int32_t i = 0; i < p.bins; i++) {
        knots[i + 1] = std::exp(sizes[i] * p.scale - largest);
        sum += knots[i + 1];
    }
    const float rest = 1.0F - least_width * static_cast<float>(p.bins);
    float place = 0.0F;
    knots[0] = -p.tail_bound;
    for (int32_t i = 1; i < p.bins; i++) {
        place += least_width + rest * knots[i] / sum;
        knots[i] = 2.0F * p.tail_bound * place - p.tail_bound;
    }
    knots[p.bins] = p.tail_bound;
}

float derivative(const float * inner, int32_t knot, int32_t bins) {
    if (knot == 0 || knot == bins) {
        return 1.0F;
    }
    const float x = inner[knot - 1];
    return least_derivative + (x > 20.0F ? x : std::log1p(std::exp(x))); // softplus
}

float invert(float y, const float * parameters, const Parameters & p) {
    if (!(y >= -p.tail_bound && y <= p.tail_bound)) {
        return y;
    }
    float widths[most_bins + 1];
    float heights[most_bins + 1];
    place_knots(parameters, p, widths);
    place_knots(parameters + p.bins, p, heights);
    const float * inner = parameters + 2 * p.bins;
    int32_t bin = 0;
    while (bin + 1 < p.bins && y >= heights[bin + 1]) {
        bin++;
    }
    const float width = widths[bin + 1] - widths[bin];
    const float height = heights[bin + 1] - heights[bin];
    const float slope = height / width;
    const float left = derivative(inner, bin, p.bins);
    const float right = derivative(inner, bin + 1, p.bins);
    // Within a bin, y is a quotient of two quadratics in theta, the position in the bin. Solve for theta.
    const float above = y - heights[bin];
    const float curve = above * (left + right - 2.0F * slope);
    const float a = height * (slope - left) + curve;
    const float b = height * left - curve;
    const float c = -slope * above;
    const float discriminant = std::max(b * b - 4.0F * a * c, 0.0F); // negative only by rounding errors
    const float theta = 2.0F * c / (-b - std::sqrt(discriminant));
    return theta * width + widths[bin];
}

void spline_op(ggml_tensor * dst, int ith, int nth, void * /*userdata*/) {
    const auto p = parameters_of<Parameters>(dst);
    const auto * x = static_cast<const float *>(dst->src[0]->data);
    const auto * parameters = static_cast<const float *>(dst->src[1]->data);
    auto * y = static_cast<float *>(dst->data);
    const int64_t frames = dst->ne[1];
    for (int64_t t = frames * ith / nth; t < frames * (ith + 1) / nth; t++) {
        y[t] = invert(x[t], parameters + t * (3 * p.bins - 1), p);
    }
}

} // namespace

ggml_tensor * inverse_spline(ggml_context * context, ggml_tensor * x, ggml_tensor * parameters,
                             const SplineShape & shape) {
    const auto require = [](bool condition, const char * what) {
        if (!condition) {
            throw std::invalid_argument(std::string("inverse_spline: ") + what);
        }
    };
    const auto matrix = [](const ggml_tensor * t, int64_t channels, int64_t frames) {
        return t->type == GGML_TYPE_F32 && ggml_is_contiguous(t) && t->ne[0] == channels && t->ne[1] == frames &&
               t->ne[2] == 1 && t->ne[3] == 1;
    };
    require(shape.bins >= 1 && shape.bins <= most_bins, "bins must be between 1 and 256");
    require(shape.tail_bound > 0.0F, "the tail bound must be above 0");
    require(matrix(x, 1, x->ne[1]) && matrix(parameters, 3 * shape.bins - 1, x->ne[1]), "x and parameters do not fit");
    ggml_tensor * sources[] = {x, parameters};
    ggml_tensor * y =
        ggml_custom_4d(context, GGML_TYPE_F32, 1, x->ne[1], 1, 1, sources, 2, spline_op, GGML_N_TASKS_MAX, nullptr);
    const Parameters p = {static_cast<int32_t>(shape.bins), shape.tail_bound, shape.scale};
    set_parameters(y, p);
    return y;
}

} // namespace moss
