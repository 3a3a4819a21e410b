// Convolutions that are computed one output channel at a time, in F32: those with one output channel, and depthwise
// ones. Their output blocks of 16 channels would be nearly empty.

#include "conv1d_paths.h"
#include "vector_ops.h"

namespace moss {

namespace {

/// A single output channel, as dot products of input and taps.
void run_single(const Conv1dCall & call, const Conv1dShare & share, const float * x, int64_t step) {
    const VectorOps & ops = vector_ops();
    const Conv1dShape & shape = call.weights.shape;
    const Conv1dOutput & output = call.output;
    const float * weights = call.weights.channel_weights.data();
    const int64_t channels = shape.in_channels;
    const bool contiguous = shape.dilation * step == channels; // the taps are contiguous in memory
    const int64_t taps = contiguous ? 1 : shape.kernel_size;
    const int64_t tap_values = contiguous ? channels * shape.kernel_size : channels;
    const float bias = call.weights.channel_biases[0] + (output.condition != nullptr ? output.condition[0] : 0.0F);
    for (int64_t t = share.first; t < share.last; t++, x += shape.stride * step) {
        float sum = bias;
        for (int64_t tap = 0; tap < taps; tap++) {
            sum += ops.dot(x + tap * shape.dilation * step, weights + tap * channels, tap_values);
        }
        output.y[t] = sum;
    }
    apply(output.activation, output.frame(share.first), output.frame(share.first), share.frames());
    for (int64_t t = share.first; output.residual != nullptr && t < share.last; t++) {
        output.y[t] += *output.residual_frame(t);
    }
}

/// A depthwise convolution: each tap is multiplied for all channels at once.
void run_depthwise(const Conv1dCall & call, const Conv1dShare & share, const float * x, int64_t step) {
    const VectorOps & ops = vector_ops();
    const Conv1dShape & shape = call.weights.shape;
    const Conv1dOutput & output = call.output;
    const float * weights = call.weights.channel_weights.data();
    const float * biases = call.weights.channel_biases.data();
    const int64_t channels = output.channels;
    for (int64_t t = share.first; t < share.last; t++, x += shape.stride * step) {
        float * y = output.frame(t);
        for (int64_t c = 0; c < channels; c++) {
            y[c] = biases[c] + (output.condition != nullptr ? output.condition[c] : 0.0F);
        }
        for (int64_t tap = 0; tap < shape.kernel_size; tap++) {
            ops.add_products(y, x + tap * shape.dilation * step, weights + tap * channels, channels);
        }
        apply(output.activation, y, y, channels);
        if (output.residual != nullptr) {
            ops.add_scaled(y, output.residual_frame(t), 1.0F, channels);
        }
    }
}

} // namespace

void run_per_channel(const Conv1dCall & call, const Conv1dShare & share, Scratch & scratch) {
    const LoadedFrames frames = load_frames(call.input, call.weights, call.plan, share.first, share.last,
                                            {0, call.weights.shape.in_channels}, scratch);
    const auto * x = reinterpret_cast<const float *>(frames.data);
    const int64_t step = frames.step / static_cast<int64_t>(sizeof(float));
    if (call.weights.shape.depthwise()) {
        run_depthwise(call, share, x, step);
    } else {
        run_single(call, share, x, step);
    }
}

} // namespace moss
