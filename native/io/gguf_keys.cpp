#include "gguf_keys.h"

namespace moss {

std::string GgufKeys::choice(const char * field, const char * a, const char * b) const {
    const std::string value = string(field);
    require(value == a || value == b, field, std::string(a) + " or " + b, value);
    return value;
}

std::vector<int> GgufKeys::integers(const char * field, int64_t low, int64_t high, size_t least, size_t most) const {
    const std::vector<int64_t> values = file_.get_ints(name(field), low, high);
    const std::string up_to = least == most ? "" : " … " + std::to_string(most);
    require(values.size() >= least && values.size() <= most, field, std::to_string(least) + up_to + " values",
            std::to_string(values.size()));
    return {values.begin(), values.end()};
}

void GgufKeys::multiple(const char * field, int64_t value, const std::string & divisor, int64_t by) const {
    require(value % by == 0, field, "a multiple of " + divisor + " (" + std::to_string(by) + ")",
            std::to_string(value));
}

void GgufKeys::odd(const char * field, const std::vector<int> & values) const {
    for (const int value : values) {
        odd(field, value);
    }
}

void GgufKeys::upsampling(const std::vector<int> & rates, const std::vector<int> & kernels) const {
    constexpr const char * field = "upsample_kernels";
    require(kernels.size() == rates.size(), field, std::to_string(rates.size()) + " values, as many as upsample_rates",
            std::to_string(kernels.size()));
    for (size_t i = 0; i < rates.size(); i++) {
        require(kernels[i] >= rates[i] && (kernels[i] - rates[i]) % 2 == 0, field,
                "each one equal to its rate plus an even number",
                std::to_string(kernels[i]) + " for rate " + std::to_string(rates[i]));
    }
}

} // namespace moss
