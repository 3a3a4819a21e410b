#include "conv1d_input.h"

#include "conv1d_output.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace moss {

namespace {

/// Whether frames that are `frame_bytes` * `stride` bytes apart map to only a few sets of the L1 cache and evict each
/// other.
bool frames_alias(int64_t frame_bytes, int64_t stride) {
    return frame_bytes * stride % 2048 == 0;
}

template <class T>
T * at_least(std::vector<T> & memory, int64_t size) {
    memory.resize(std::max(memory.size(), static_cast<size_t>(size)));
    return memory.data();
}

/// Writes values of one or more frames, activated and in the plan's input type, with the scales and sums of types that
/// have them.
void convert(const Conv1dInput & input, const Conv1dPlan & plan, const float * x, int64_t values, std::byte * to,
             float * scales, int32_t * sums, Scratch & scratch) {
    if (plan.input_type == ComputeType::f32) {
        apply(input.activation, x, reinterpret_cast<float *>(to), values);
    } else if (input.activation.piecewise_linear()) {
        plan.kernel->load(x, values, input.activation.negative_slope(), to, scales, sums);
    } else {
        float * activated = at_least(scratch.activated, values);
        apply(input.activation, x, activated, values);
        plan.kernel->load(activated, values, 1.0F, to, scales, sums);
    }
}

/// Copies frames from .. to for some channels. Frames outside of the input are zeros.
LoadedFrames copy_frames(const Conv1dInput & input, const Conv1dPlan & plan, int64_t stride, int64_t from, int64_t to,
                         ChannelRange channels, Scratch & scratch) {
    const int64_t frame_bytes = channels.count * plan.value_bytes();
    const int64_t step = frame_bytes + (frames_alias(frame_bytes, stride) ? 64 : 0);
    const int64_t blocks = channels.count / quant_block;
    std::byte * copy = at_least(scratch.input, (to - from) * step);
    float * scales = at_least(scratch.input_scales, (to - from) * blocks);
    int32_t * sums = at_least(scratch.input_sums, (to - from) * blocks);
    const auto pad = [&](int64_t begin, int64_t end) {
        std::fill(copy + (begin - from) * step, copy + (end - from) * step, std::byte{0});
        std::fill(scales + (begin - from) * blocks, scales + (end - from) * blocks, 0.0F);
        std::fill(sums + (begin - from) * blocks, sums + (end - from) * blocks, 0);
    };
    const int64_t begin = std::clamp<int64_t>(0, from, to);
    const int64_t end = std::clamp(input.frames, begin, to);
    const bool contiguous = input.step == channels.count && step == frame_bytes;
    const int64_t at_once = contiguous ? end - begin : 1;
    pad(from, begin);
    for (int64_t t = begin; t < end; t += at_once) {
        convert(input, plan, input.x + t * input.step + channels.first, at_once * channels.count,
                copy + (t - from) * step, scales + (t - from) * blocks, sums + (t - from) * blocks, scratch);
    }
    pad(end, to);
    return {copy, step, scales, sums};
}

/// Frames from .. to for some channels, read in place, without padding and activation.
LoadedFrames in_place(const Conv1dInput & input, int64_t from, ChannelRange channels) {
    return {reinterpret_cast<const std::byte *>(input.x + from * input.step + channels.first),
            input.step * static_cast<int64_t>(sizeof(float)), nullptr, nullptr};
}

} // namespace

LoadedFrames load_frames(const Conv1dInput & input, const PackedWeights & weights, const Conv1dPlan & plan,
                         int64_t first, int64_t last, ChannelRange channels, Scratch & scratch) {
    const int64_t stride = weights.shape.stride;
    const int64_t from = first * stride - input.left;
    const int64_t to = (last - 1) * stride - input.left + weights.shape.span();
    const bool ready = plan.input_type == ComputeType::f32 && from >= 0 && to <= input.frames &&
                       input.activation.kind == Activation::none &&
                       !frames_alias(input.step * static_cast<int64_t>(sizeof(float)), stride);
    return ready ? in_place(input, from, channels) : copy_frames(input, plan, stride, from, to, channels, scratch);
}

LoadedTiles load_tiles(const Conv1dInput & input, const PackedWeights & weights, const Conv1dPlan & plan, int64_t first,
                       int64_t last, Scratch & scratch) {
    const Conv1dShape & shape = weights.shape;
    const WinogradScheme & scheme = *weights.scheme;
    const Conv1dKernel & kernel = *plan.kernel;
    const WinogradTiles tiles = {shape.dilation, scheme.outputs};
    const int64_t count = tiles.count(last - first) + (scheme.segments(shape.kernel_size) - 1) * shape.dilation;
    const int64_t from = first - input.left;
    const int64_t to = from + tiles.start(count - 1) + (scheme.count() - 1) * shape.dilation + 1;
    const ChannelRange channels = {0, shape.in_channels};
    // The transform can apply a piecewise linear activation itself.
    const bool ready = from >= 0 && to <= input.frames && input.activation.piecewise_linear();
    const LoadedFrames frames =
        ready ? in_place(input, from, channels) : copy_frames(input, plan, shape.stride, from, to, channels, scratch);
    const bool rounded = kernel.load != nullptr; // the kernel reads another type than F32
    WinogradInput transform{};
    transform.x = reinterpret_cast<const float *>(frames.data);
    transform.x_step = frames.step / static_cast<int64_t>(sizeof(float));
    transform.dilation = shape.dilation;
    transform.count = count;
    transform.channels = shape.in_channels;
    transform.slope = ready ? input.activation.negative_slope() : 1.0F;
    // Tiles that are rounded afterwards are contiguous, to be rounded in one pass. Tiles that the kernel reads as they
    // are must not alias in the cache.
    transform.tile_step = shape.in_channels + (!rounded && frames_alias(shape.in_channels * 4, 1) ? 16 : 0);
    transform.point_step = count * transform.tile_step;
    void * aligned = at_least(scratch.transformed, scheme.count() * transform.point_step + 16);
    size_t size = scratch.transformed.size() * sizeof(float);
    transform.to = static_cast<float *>(std::align(64, 1, aligned, size));
    kernel.winograd[weights.scheme - winograd_scheme].input(transform);
    if (!rounded) {
        return {reinterpret_cast<const std::byte *>(transform.to),
                transform.tile_step * static_cast<int64_t>(sizeof(float)), count, nullptr};
    }
    const int64_t values = scheme.count() * transform.point_step;
    std::byte * lanes = at_least(scratch.lanes, values / lane_values(kernel.type) * lane_bytes);
    float * scales = at_least(scratch.lane_scales, values / quant_block);
    kernel.load(transform.to, values, 1.0F, lanes, scales, nullptr);
    return {lanes, shape.in_channels / lane_values(kernel.type) * lane_bytes, count, scales};
}

} // namespace moss
