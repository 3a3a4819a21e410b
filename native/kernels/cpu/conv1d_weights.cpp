#include "conv1d_weights.h"

#include "conv1d_kernel.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace moss {

namespace {

/// Reads rows of floats. The shape is checked before the first row is read.
RowReader float_rows(const Conv1dShape & shape, const WeightRows<float> & weight) {
    return [&](int64_t first, int64_t count) {
        return SourceRows(weight(first, count), shape.kernel_size * shape.group_channels());
    };
}

RowReader float_rows(const Conv1dShape & shape, const float * weight) {
    return [&shape, weight](int64_t first, int64_t) {
        const int64_t row = shape.kernel_size * shape.group_channels();
        return SourceRows(weight + first * row, row);
    };
}

} // namespace

ComputeType PackedWeights::type() const {
    return kernel == nullptr ? ComputeType::f32 : kernel->type;
}

double PackedWeights::multiplications(int64_t frames) const {
    double sum = per_channel() ? static_cast<double>(shape.kernel_size * shape.out_channels) : 0.0;
    for (const OutputBlock & block : blocks) {
        sum += static_cast<double>(block.taps * block.channels);
    }
    return sum * static_cast<double>(shape.group_channels()) * static_cast<double>(frames);
}

PackedConv1d::PackedConv1d(std::shared_ptr<const PackedWeights> weights) : weights_(std::move(weights)) {}

PackedConv1d::PackedConv1d(const Conv1dShape & shape, const float * weight, const float * bias, ComputeType type)
    : weights_(pack_weights(shape, 1, -1, float_rows(shape, weight), bias, type)) {}

PackedConv1d::PackedConv1d(const Conv1dShape & shape, const WeightRows<float> & weight, const float * bias,
                           ComputeType type)
    : weights_(pack_weights(shape, 1, -1, float_rows(shape, weight), bias, type)) {}

PackedConv1d PackedConv1d::transposed(const Conv1dShape & shape, int64_t drop, const float * weight, const float * bias,
                                      ComputeType type) {
    const auto require = [](bool condition, const char * what) {
        if (!condition) {
            throw std::invalid_argument(std::string("conv1d: ") + what);
        }
    };
    require(shape.groups == 1 && shape.dilation == 1 && drop >= 0, "unsupported transposed convolution");
    require(shape.stride > 0 && shape.kernel_size > drop, "the dropped samples exceed the kernel");
    // Output sample stride * q + p is the sum over j of x[q - j] times tap k = stride * j + p + drop of the kernel.
    const int64_t stride = shape.stride;
    const int64_t last = (shape.kernel_size - 1 - drop) / stride; // the largest j: frames before q
    const int64_t first = -((stride - 1 + drop) / stride);        // the smallest j: frames after q
    const int64_t taps = last - first + 1;
    const int64_t channels = shape.in_channels;
    const Conv1dShape packed = {channels, stride * shape.out_channels, taps, 1, 1, 1};
    check_shape(packed);
    std::vector<float> phased(static_cast<size_t>(stride * shape.out_channels * taps * channels), 0.0F);
    std::vector<float> biases(static_cast<size_t>(stride * shape.out_channels), 0.0F);
    for (int64_t p = 0; p < stride; p++) {
        for (int64_t o = 0; o < shape.out_channels; o++) {
            const int64_t row = p * shape.out_channels + o;
            if (bias != nullptr) {
                biases[static_cast<size_t>(row)] = bias[o];
            }
            for (int64_t tap = 0; tap < taps; tap++) { // tap 0 is the earliest frame: j = last
                const int64_t k = stride * (last - tap) + p + drop;
                if (k >= 0 && k < shape.kernel_size) {
                    const float * from = weight + (o * shape.kernel_size + k) * channels;
                    std::copy(from, from + channels, phased.begin() + (row * taps + tap) * channels);
                }
            }
        }
    }
    return PackedConv1d(pack_weights(packed, stride, last, float_rows(packed, phased.data()), biases.data(), type));
}

ComputeType PackedConv1d::type() const {
    return weights_->type();
}

bool PackedConv1d::winograd() const {
    return weights_->scheme != nullptr;
}

int64_t PackedConv1d::in_channels() const {
    return weights_->shape.in_channels;
}

int64_t PackedConv1d::out_channels() const {
    return weights_->shape.out_channels / weights_->phases;
}

int64_t PackedConv1d::stride() const {
    return weights_->shape.stride;
}

int64_t PackedConv1d::phases() const {
    return weights_->phases;
}

int64_t PackedConv1d::span() const {
    return weights_->shape.span();
}

int64_t PackedConv1d::left() const {
    return weights_->left;
}

int64_t PackedConv1d::right() const {
    return span() - 1 - left();
}

double PackedConv1d::multiplications(int64_t out_frames) const {
    return weights_->multiplications(out_frames / weights_->phases);
}

int64_t PackedConv1d::out_frames(int64_t frames, int64_t left, int64_t right) const {
    const int64_t room = left + frames + right - span();
    return room < 0 ? 0 : weights_->phases * (room / weights_->shape.stride + 1);
}

} // namespace moss
