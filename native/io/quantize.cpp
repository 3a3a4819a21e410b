#include "quantize.h"

#include "error.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace moss {

namespace {

constexpr float largest_f16 = 65504.0F;

MossError wrong(const char * what, const std::string & expected, const std::string & found) {
    return {code::invalid_argument,
            std::string(what) + ": expected " + expected + ", found " + found,
            {{"option", what}, {"expected", expected}, {"found", found}}};
}

} // namespace

bool is_weight_type(ggml_type type) {
    switch (type) {
    case GGML_TYPE_F32:
    case GGML_TYPE_F16:
    case GGML_TYPE_BF16:
    case GGML_TYPE_Q4_0:
    case GGML_TYPE_Q4_1:
    case GGML_TYPE_Q5_0:
    case GGML_TYPE_Q5_1:
    case GGML_TYPE_Q8_0:
    case GGML_TYPE_Q2_K:
    case GGML_TYPE_Q3_K:
    case GGML_TYPE_Q4_K:
    case GGML_TYPE_Q5_K:
    case GGML_TYPE_Q6_K:
        return true;
    default:
        return false;
    }
}

ggml_type to_weight_type(const std::string & name) {
    std::string wanted = name;
    const auto lower = [](unsigned char c) { return static_cast<char>(std::tolower(c)); };
    std::transform(wanted.begin(), wanted.end(), wanted.begin(), lower);
    for (int i = 0; i < GGML_TYPE_COUNT; i++) {
        const auto type = static_cast<ggml_type>(i);
        if (!is_weight_type(type)) {
            continue;
        }
        std::string known = ggml_type_name(type);
        std::transform(known.begin(), known.end(), known.begin(), lower);
        if (known == wanted) {
            return type;
        }
    }
    throw wrong("type", "f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0 or q2_k … q6_k", name);
}

std::vector<uint8_t> quantize(ggml_type type, const float * values, size_t count, size_t row_length) {
    const auto block = static_cast<size_t>(ggml_blck_size(type));
    if (row_length == 0 || row_length % block != 0) {
        throw wrong("rowLength", "a multiple of " + std::to_string(block), std::to_string(row_length));
    }
    if (count % row_length != 0) {
        throw wrong("data", "whole rows of " + std::to_string(row_length), std::to_string(count) + " values");
    }
    for (size_t i = 0; i < count; i++) {
        if (!std::isfinite(values[i])) { // rounding it to an integer would be undefined
            throw wrong("data", "finite numbers", std::isnan(values[i]) ? "NaN" : "infinity");
        }
        if (type == GGML_TYPE_F16 && std::fabs(values[i]) > largest_f16) {
            throw wrong("data", "numbers up to 65504 for f16", std::to_string(values[i]));
        }
    }
    std::vector<uint8_t> data(count / block * ggml_type_size(type));
    if (count > 0) {
        ggml_quantize_chunk(type, values, data.data(), 0, static_cast<int64_t>(count / row_length),
                            static_cast<int64_t>(row_length), nullptr);
    }
    return data;
}

std::vector<float> dequantize(ggml_type type, const uint8_t * data, size_t bytes) {
    const size_t block_bytes = ggml_type_size(type);
    if (bytes % block_bytes != 0) {
        throw wrong("data", "blocks of " + std::to_string(block_bytes) + " bytes", std::to_string(bytes) + " bytes");
    }
    const size_t blocks = bytes / block_bytes;
    std::vector<float> values(blocks * static_cast<size_t>(ggml_blck_size(type)));
    dequantize(type, data, blocks, values.data());
    return values;
}

void dequantize(ggml_type type, const uint8_t * data, size_t blocks, float * to) {
    if (type == GGML_TYPE_F32) { // ggml has no conversion for F32
        std::copy(data, data + blocks * sizeof(float), reinterpret_cast<uint8_t *>(to));
    } else if (blocks > 0) {
        ggml_get_type_traits(type)->to_float(data, to, static_cast<int64_t>(blocks) * ggml_blck_size(type));
    }
}

} // namespace moss
