// Conversion of floats to the types of a file and back.

#include "test.h"

#include "io/error.h"
#include "io/quantize.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace moss;

namespace {

std::vector<float> wave(size_t count) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; i++) {
        values[i] = std::sin(0.37F * static_cast<float>(i));
    }
    return values;
}

/// The root mean square of the difference, relative to that of the values.
double relative_error(const std::vector<float> & values, const std::vector<float> & found) {
    double error = 0;
    double energy = 0;
    for (size_t i = 0; i < values.size(); i++) {
        error += std::pow(double(values[i]) - found[i], 2);
        energy += std::pow(double(values[i]), 2);
    }
    return std::sqrt(error / energy);
}

} // namespace

TEST(round_trips_cost_what_the_type_costs) {
    const std::vector<float> values = wave(1024);
    // F16 and BF16 have 11 and 8 bits of mantissa; Q8_0, Q5 and Q4 have 8, 5 and 4 bits with a scale for each 32
    // values; K-quants have scales for each 16 or 32 of 256 values.
    const std::pair<const char *, double> types[] = {
        {"f32", 0.0},   {"f16", 5e-4},  {"bf16", 4e-3}, {"q8_0", 8e-3}, {"q5_1", 0.05}, {"q5_0", 0.06}, {"q4_1", 0.1},
        {"q4_0", 0.12}, {"q6_K", 0.04}, {"Q5_K", 0.06}, {"q4_k", 0.12}, {"q3_k", 0.25}, {"q2_k", 0.45}};
    for (const auto & [name, limit] : types) {
        const ggml_type type = to_weight_type(name);
        CHECK(is_weight_type(type));
        const std::vector<uint8_t> data = quantize(type, values.data(), values.size(), 256);
        CHECK_EQ(data.size(), ggml_row_size(type, 256) * 4);
        const std::vector<float> found = dequantize(type, data.data(), data.size());
        CHECK_EQ(found.size(), values.size());
        const double error = relative_error(values, found);
        CHECK(error <= limit);
        CHECK(error >= limit / 100);
    }
    CHECK(quantize(GGML_TYPE_Q8_0, nullptr, 0, 32).empty());
    CHECK(dequantize(GGML_TYPE_Q8_0, nullptr, 0).empty());
}

TEST(quantize_refuses_what_does_not_fit) {
    std::vector<float> values = wave(512);
    CHECK_THROWS_WITH(to_weight_type("q9_0"), "expected f32");
    CHECK_THROWS_WITH(to_weight_type("iq2_xxs"), "found iq2_xxs");
    CHECK_THROWS_WITH(to_weight_type(""), "expected f32");
    CHECK_THROWS_WITH(quantize(GGML_TYPE_Q8_0, values.data(), 512, 16), "a multiple of 32, found 16");
    CHECK_THROWS_WITH(quantize(GGML_TYPE_Q4_K, values.data(), 512, 128), "a multiple of 256, found 128");
    CHECK_THROWS_WITH(quantize(GGML_TYPE_F32, values.data(), 512, 0), "found 0");
    CHECK_THROWS_WITH(quantize(GGML_TYPE_Q8_0, values.data(), 500, 32), "whole rows of 32, found 500 values");
    CHECK_THROWS_WITH(dequantize(GGML_TYPE_Q8_0, reinterpret_cast<uint8_t *>(values.data()), 33), "blocks of 34 bytes");
    values[7] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH(quantize(GGML_TYPE_Q8_0, values.data(), 512, 32), "found NaN");
    values[7] = -std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH(quantize(GGML_TYPE_F16, values.data(), 512, 32), "found infinity");
    values[7] = 1e5F;
    CHECK_THROWS_WITH(quantize(GGML_TYPE_F16, values.data(), 512, 32), "65504");
    CHECK_EQ(quantize(GGML_TYPE_BF16, values.data(), 512, 32).size(), size_t(1024));
}
