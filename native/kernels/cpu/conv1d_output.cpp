#include "conv1d_output.h"

#include "vector_ops.h"

#include <algorithm>

namespace moss {

void apply(const Activation & activation, const float * from, float * to, int64_t count) {
    switch (activation.kind) {
    case Activation::none:
        std::copy(from, from + count, to);
        break;
    case Activation::relu:
    case Activation::leaky_relu:
        vector_ops().leaky(from, to, activation.negative_slope(), count);
        break;
    case Activation::gelu:
        vector_ops().gelu(from, to, count);
        break;
    case Activation::tanh:
        vector_ops().tanh(from, to, count);
        break;
    }
}

bool Conv1dOutput::fused(const OutputBlockPair & pair) const {
    return pair.channels() == pair.padded_channels() && activation.piecewise_linear();
}

void Conv1dOutput::load_biases(const OutputBlockPair & pair, float (&biases)[2 * output_block_channels]) const {
    std::copy_n(pair.first->biases, pair.padded_channels(), biases);
    for (int64_t i = 0; condition != nullptr && i < pair.channels(); i++) {
        biases[i] += condition[(pair.first->first_channel + i) % condition_channels];
    }
}

void Conv1dOutput::finish(const OutputBlockPair & pair, int64_t first, int64_t count, float * sums,
                          int64_t step) const {
    if (!activation.piecewise_linear()) {
        apply(activation, sums, sums, count * step);
    }
    for (int64_t t = first; t < first + count; t++, sums += step) {
        float * to = frame(t) + pair.first->first_channel;
        std::copy_n(sums, pair.channels(), to);
        const float * added = residual_frame(t);
        for (int64_t i = 0; added != nullptr && i < pair.channels(); i++) {
            to[i] += added[pair.first->first_channel + i];
        }
    }
}

} // namespace moss
