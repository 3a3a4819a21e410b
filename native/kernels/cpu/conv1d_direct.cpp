// Convolutions computed directly: each output frame is the sum of its taps' products.

#include "conv1d_paths.h"

#include <algorithm>

namespace moss {

namespace {

constexpr int64_t sums_step = 2 * output_block_channels; // floats of a frame's sums

/// A part: some of the input channels of a share, and the sums over the channels before them.
struct Part {
    LoadedFrames frames;
    ChannelRange channels;
    bool first, last; // whether this is the first or last part
    float * sums;     // [pair][frame][32]; null if there is only one part

    /// The sums of a pair.
    float * pair_sums(const Conv1dShare & share, int64_t index) const {
        return sums + index / 2 * share.frames() * sums_step + index % 2 * output_block_channels;
    }
};

/// The arguments that are the same for all frames of a share: the layout, and the weights of a pair.
Conv1dTile tile_of(const Conv1dCall & call, const Part & part, const OutputBlockPair & pair) {
    const Conv1dShape & shape = call.weights.shape;
    const ComputeType type = call.plan.kernel->type;
    const int64_t group_bytes = part.channels.count / shape.groups * call.plan.value_bytes();
    Conv1dTile tile{};
    tile.row_step = shape.stride * part.frames.step;
    tile.tap_step = shape.dilation * part.frames.step;
    tile.taps = pair.first->taps;
    tile.lanes = group_bytes / lane_bytes;
    if (tile.tap_step == group_bytes &&
        weight_scale_bytes(type) == 0) { // all taps are contiguous in memory: they are computed as one
        tile.lanes *= tile.taps;
        tile.taps = 1;
    }
    const int64_t frame_blocks = part.channels.count / quant_block;
    tile.quant_blocks = frame_blocks / shape.groups;
    tile.row_scales = shape.stride * frame_blocks;
    tile.tap_scales = shape.dilation * frame_blocks;
    // Skips the weights of the channels of earlier parts. Only convolutions with a single tap are computed in parts.
    const int64_t weights_before = part.channels.first * call.plan.value_bytes() * output_block_channels;
    const int64_t scales_before = part.channels.first / quant_block * output_block_channels * weight_scale_bytes(type);
    tile.weights = pair.first->weights + weights_before;
    tile.scales = pair.first->scales + scales_before;
    if (pair.second != nullptr) {
        tile.weights2 = pair.second->weights + weights_before;
        tile.scales2 = pair.second->scales + scales_before;
    }
    tile.slope = part.last ? call.output.activation.negative_slope() : 1.0F;
    return tile;
}

/// Points the tile at the first tap of frame `t` of the share, for the group of the block.
void set_frame(Conv1dTile & tile, const Conv1dCall & call, const Part & part, const OutputBlock & block, int64_t t) {
    const Conv1dShape & shape = call.weights.shape;
    const int64_t group_bytes = part.channels.count / shape.groups * call.plan.value_bytes();
    const int64_t tap_step = shape.dilation * part.frames.step;
    tile.x = part.frames.data + t * tile.row_step + block.first_tap * tap_step + block.group * group_bytes;
    if (part.frames.scales != nullptr) {
        const int64_t at = t * tile.row_scales + block.first_tap * tile.tap_scales + block.group * tile.quant_blocks;
        tile.input_scales = part.frames.scales + at;
        tile.input_sums = part.frames.sums + at;
    }
}

/// Computes one part of a pair for all frames of a share. `index` is that of for_each_pair.
void multiply(const Conv1dCall & call, const Conv1dShare & share, const Part & part, const OutputBlockPair & pair,
              int64_t index, Scratch & scratch) {
    const Conv1dKernel & kernel = *call.plan.kernel;
    const Conv1dOutput & output = call.output;
    const bool fused = output.fused(pair);
    const int64_t first_channel = pair.first->first_channel;
    float biases[2 * output_block_channels];
    output.load_biases(pair, biases);
    Conv1dTile tile = tile_of(call, part, pair);
    if (kernel.sum_weights != nullptr) {
        const int64_t blocks = tile.taps * tile.quant_blocks;
        scratch.weight_sums.resize(
            std::max(scratch.weight_sums.size(), static_cast<size_t>(blocks * output_block_channels)));
        kernel.sum_weights(tile.weights, blocks, scratch.weight_sums.data());
        tile.weight_sums = scratch.weight_sums.data();
    }
    float unfused[12 * 2 * output_block_channels]; // the sums of one kernel call
    for (int64_t t = share.first; t < share.last; t += kernel.max_rows) {
        const int64_t rows = std::min(kernel.max_rows, share.last - t);
        float * sums = part.sums == nullptr ? nullptr : part.pair_sums(share, index) + (t - share.first) * sums_step;
        set_frame(tile, call, part, *pair.first, t - share.first);
        tile.biases = part.first ? biases : sums;
        tile.biases_step = part.first ? 0 : sums_step;
        if (!part.last) {
            tile.y = sums;
            tile.y_step = sums_step;
        } else if (fused) {
            tile.y = output.frame(t) + first_channel;
            tile.y_step = output.channels;
            tile.residual = output.residual == nullptr ? nullptr : output.residual_frame(t) + first_channel;
            tile.residual_step = output.residual_step;
        } else {
            tile.y = unfused;
            tile.y_step = pair.padded_channels();
        }
        kernel.run(tile, rows);
        if (part.last && !fused) {
            output.finish(pair, t, rows, unfused, tile.y_step);
        }
    }
}

/// Memory for the sums of a share between parts; null if there is only one part.
float * sums_of(const Conv1dCall & call, const Conv1dShare & share, Scratch & scratch) {
    if (call.plan.part_channels >= call.weights.shape.in_channels) {
        return nullptr;
    }
    const int64_t size = (share.last_pair - share.first_pair) * share.frames() * sums_step;
    scratch.sums.resize(std::max(scratch.sums.size(), static_cast<size_t>(size)));
    return scratch.sums.data();
}

} // namespace

void run_direct(const Conv1dCall & call, const Conv1dShare & share, Scratch & scratch) {
    const int64_t all = call.weights.shape.in_channels;
    float * sums = sums_of(call, share, scratch);
    for (int64_t first = 0; first < all; first += call.plan.part_channels) {
        const ChannelRange channels = {first, std::min(call.plan.part_channels, all - first)};
        const Part part = {load_frames(call.input, call.weights, call.plan, share.first, share.last, channels, scratch),
                           channels, first == 0, first + channels.count == all, sums};
        for_each_pair(call, share, [&](const OutputBlockPair & pair, int64_t index) {
            multiply(call, share, part, pair, index, scratch);
        });
    }
}

} // namespace moss
