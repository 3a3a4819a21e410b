#include "conv1d_plan.h"

namespace moss {

namespace {

/// The bytes of input that a tile reads, so that they stay in the L2 cache while the weights of all output channels are
/// read.
constexpr int64_t tile_bytes = 1 << 18;

// With a single tap, the input channels are processed in parts, so that the weights of a part in one output block and
// the lanes of a few frames stay in the L1 cache: 256 lanes are 16 KB of weights.
constexpr int64_t part_lanes = 256;
constexpr int64_t part_tile_bytes =
    1 << 19; // bytes of a tile's input in one part: larger tiles read the weights less often
constexpr int64_t max_sums_bytes = 1 << 23; // the most memory for sums that are kept between parts
constexpr int64_t min_part_frames = 48;     // with fewer frames, storing and reloading sums costs more than it saves

int64_t round_up(int64_t value, int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

bool in_parts(const PackedWeights & weights, int64_t frames) {
    return weights.shape.kernel_size == 1 && weights.shape.groups == 1 && !weights.per_channel() &&
           frames >= min_part_frames;
}

} // namespace

Conv1dPlan plan_conv1d(const PackedWeights & weights, int64_t frames) {
    const Conv1dShape & shape = weights.shape;
    const WinogradScheme * scheme = weights.scheme;
    Conv1dPlan plan{};
    plan.kernel = weights.kernel != nullptr ? weights.kernel : &conv1d_kernel(ComputeType::f32);
    plan.kernel = plan.kernel->few != nullptr && frames < few_rows ? plan.kernel->few : plan.kernel;
    plan.input_type = scheme != nullptr ? ComputeType::f32 : plan.kernel->type;
    plan.frames = frames;
    plan.pairs = weights.per_channel() ? 1 : static_cast<int64_t>(weights.pairs.size());
    plan.part_channels = shape.in_channels;
    const bool parts = in_parts(weights, frames);
    if (parts) {
        const int64_t lanes = shape.in_channels / lane_values(plan.kernel->type);
        const int64_t count = (lanes + part_lanes - 1) / part_lanes;
        plan.part_channels = round_up(shape.in_channels / count, quant_block);
    }
    // Tiles have about equal lengths, multiples of max_rows of every kernel or of the length of a Winograd tile.
    const int64_t frame_bytes = plan.part_channels * shape.stride * plan.value_bytes();
    const int64_t fit = (parts ? part_tile_bytes : tile_bytes) / frame_bytes;
    const int64_t most = scheme == nullptr ? std::clamp<int64_t>(fit, 24, 1024)
                                           : std::clamp<int64_t>(fit / scheme->count(), 12, 24) * scheme->outputs;
    const int64_t multiple = scheme == nullptr ? 12 : scheme->outputs * shape.dilation;
    const int64_t tiles = (frames + most - 1) / most;
    plan.tile_frames = round_up((frames + tiles - 1) / tiles, multiple);
    const bool keeps_sums = plan.part_channels < shape.in_channels;
    plan.max_pairs =
        keeps_sums ? std::max<int64_t>(1, max_sums_bytes / (plan.tile_frames * pair_sums_bytes)) : plan.pairs;
    return plan;
}

} // namespace moss
