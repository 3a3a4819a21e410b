#include "spectral_filter.h"

#include "op_params.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace moss {

namespace {

constexpr int most_carriers = 4;

struct Parameters {
    int32_t subbands, bins, carriers;
    float max_log;
};

const float * row(const ggml_tensor * t, int64_t index) {
    return reinterpret_cast<const float *>(static_cast<const char *>(t->data) + index * t->nb[1]);
}

void filter(ggml_tensor * dst, int ith, int nth, void * /*userdata*/) {
    const auto p = parameters_of<Parameters>(dst);
    const int64_t frames = dst->ne[1];
    for (int64_t t = frames * ith / nth; t < frames * (ith + 1) / nth; t++) {
        const float * x = row(dst->src[0], t);
        float * y = reinterpret_cast<float *>(static_cast<char *>(dst->data) + t * dst->nb[1]);
        for (int i = 0; i < std::max(p.carriers, 1); i++, x += dst->ne[0]) {
            const float * carrier = p.carriers > 0 ? row(dst->src[1 + i], t) : nullptr;
            for (int64_t band = 0; band < p.subbands; band++) {
                const int64_t first = band * 2 * p.bins;
                for (int64_t re = first, im = first + p.bins; re < first + p.bins; re++, im++) {
                    const float magnitude = std::exp(std::min(x[re], p.max_log));
                    float real = magnitude * std::cos(x[im]);
                    float imaginary = magnitude * std::sin(x[im]);
                    if (carrier != nullptr) {
                        const float a = real;
                        real = a * carrier[re] - imaginary * carrier[im];
                        imaginary = a * carrier[im] + imaginary * carrier[re];
                    }
                    y[re] = i == 0 ? real : y[re] + real;
                    y[im] = i == 0 ? imaginary : y[im] + imaginary;
                }
            }
        }
    }
}

void require(bool condition, const char * what) {
    if (!condition) {
        throw std::invalid_argument(std::string("spectral_filter: ") + what);
    }
}

} // namespace

ggml_tensor * spectral_filter(ggml_context * context, ggml_tensor * x, ggml_tensor * const * carriers,
                              int carrier_count, const SpectrumShape & shape, float max_log) {
    const auto matrix = [&](const ggml_tensor * t, int64_t channels) {
        return t->type == GGML_TYPE_F32 && t->ne[0] == channels && t->ne[1] == x->ne[1] && t->ne[2] == 1 &&
               t->ne[3] == 1 && t->nb[0] == sizeof(float);
    };
    require(shape.subbands > 0 && shape.bins > 0 && shape.channels() <= INT32_MAX, "the spectrum is empty");
    require(carrier_count >= 0 && carrier_count <= most_carriers, "too many carriers");
    require(matrix(x, shape.channels() * std::max(carrier_count, 1)), "the filters do not fit");
    ggml_tensor * sources[1 + most_carriers] = {x};
    for (int i = 0; i < carrier_count; i++) {
        require(matrix(carriers[i], shape.channels()), "a carrier does not fit");
        sources[1 + i] = carriers[i];
    }
    ggml_tensor * y = ggml_custom_4d(context, GGML_TYPE_F32, shape.channels(), x->ne[1], 1, 1, sources,
                                     1 + carrier_count, filter, GGML_N_TASKS_MAX, nullptr);
    const Parameters parameters = {static_cast<int32_t>(shape.subbands), static_cast<int32_t>(shape.bins),
                                   carrier_count, max_log};
    set_parameters(y, parameters);
    return y;
}

} // namespace moss
