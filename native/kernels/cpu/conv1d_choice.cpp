// Which kernel and algorithm a convolution's weights are packed for.

#include "conv1d_kernel.h"
#include "conv1d_weights.h"
#include "cpu_features.h"

namespace moss {

namespace {

/// Whether Winograd's algorithm is faster. With few channels, the transforms take longer than the multiplications that
/// they save. Convolutions with many channels are those of transformers, which process few frames: there most of the
/// time is spent on reading weights, and transformed weights are larger.
bool fits_winograd(const Conv1dShape & shape) {
    constexpr int64_t width = 16; // channels that are transformed at once
    return conv1d_winograd_allowed() && shape.stride == 1 && shape.groups == 1 && shape.kernel_size >= 3 &&
           shape.in_channels % width == 0 && shape.in_channels >= 32 && shape.out_channels >= 32 &&
           shape.in_channels * shape.out_channels <= 1 << 17;
}

} // namespace

bool has_kernel(ComputeType type, int64_t channels) {
    const int64_t multiple = weight_scale_bytes(type) > 0 ? quant_block : lane_values(type);
    return conv1d_kernel(type).type == type && channels % multiple == 0;
}

ComputeType fallback_type(int64_t channels) {
    // With AVX-512 but without VNNI, F32 is as fast as I16: its vectors are twice as wide as those of AVX2.
    const bool faster = !cpu_features().avx512 || cpu_features().avx512_vnni;
    return faster && has_kernel(ComputeType::i16, channels) ? ComputeType::i16 : ComputeType::f32;
}

void choose_kernel(PackedWeights & to, ComputeType type) {
    const int64_t channels = to.shape.group_channels();
    const bool winograd = fits_winograd(to.shape);
    if (!has_kernel(type, channels) || (winograd && conv1d_kernel(type).outdone_by_winograd)) {
        // A single output channel is computed fastest in F32, without blocks.
        type = to.shape.out_channels > 1 ? fallback_type(channels) : ComputeType::f32;
    }
    if (type != ComputeType::f32) {
        to.kernel = &conv1d_kernel(type);
    }
    if (winograd && (to.kernel == nullptr || to.kernel->winograd != nullptr)) {
        to.scheme = &winograd_scheme[winograd_for(to.shape.kernel_size)];
    }
}

} // namespace moss
