// Packing of weights into the layout that the kernels read.

#include "conv1d_kernel.h"
#include "conv1d_weights.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

namespace moss {

namespace {

void require(bool condition, const char * what) {
    if (!condition) {
        throw std::invalid_argument(std::string("conv1d: ") + what);
    }
}

/// The sizes of an output block in memory.
struct Layout {
    int64_t steps;        // taps, or for Winograd points x segments; each has the weights of all channels
    int64_t weight_bytes; // the weights of a block
    int64_t scale_bytes;  // the scales of a block

    explicit Layout(const PackedWeights & w)
        : steps(w.scheme != nullptr ? w.scheme->count() * w.scheme->segments(w.shape.kernel_size)
                                    : w.shape.kernel_size),
          weight_bytes(output_block_channels * steps * w.shape.group_channels() / lane_values(w.type()) * lane_bytes),
          scale_bytes(output_block_channels * steps * (w.shape.group_channels() / quant_block) *
                      weight_scale_bytes(w.type())) {}
};

/// Allocates zeroed memory for all blocks: first their weights, then their biases, then their scales. Sets the pointers
/// and the channels of each block.
void allocate_blocks(PackedWeights & to, const Layout & layout) {
    const Conv1dShape & shape = to.shape;
    const int64_t outputs = shape.out_channels / shape.groups;
    const int64_t count = shape.groups * ((outputs + output_block_channels - 1) / output_block_channels);
    constexpr int64_t bias_bytes = output_block_channels * static_cast<int64_t>(sizeof(float));
    to.storage = zeroed_pages(static_cast<size_t>(count * (layout.weight_bytes + bias_bytes + layout.scale_bytes)));
    const std::byte * weights = to.storage.get();
    const std::byte * biases = weights + count * layout.weight_bytes;
    const std::byte * scales = biases + count * bias_bytes;
    to.blocks.reserve(static_cast<size_t>(count));
    for (int64_t group = 0; group < shape.groups; group++) {
        for (int64_t first = 0; first < outputs; first += output_block_channels) {
            to.blocks.push_back({weights, scales, reinterpret_cast<const float *>(biases), 0, shape.kernel_size,
                                 group * outputs + first, std::min(output_block_channels, outputs - first), group});
            weights += layout.weight_bytes;
            biases += bias_bytes;
            scales += layout.scale_bytes;
        }
    }
}

/// Removes const from a block's pointer, to write its memory while it is packed.
template <class T, class U>
T * writable(const U * place) {
    return reinterpret_cast<T *>(const_cast<U *>(place));
}

/// Drops the taps at both ends that no channel of the block uses: a phase of a transposed convolution does not use all
/// of them.
void trim_taps(OutputBlock & block, const SourceRows & rows, int64_t channels) {
    const auto zero_tap = [&](int64_t tap) {
        for (int64_t i = 0; i < block.channels; i++) {
            if (!rows.zero(i, tap * channels, channels)) {
                return false;
            }
        }
        return true;
    };
    while (block.taps > 1 && zero_tap(block.first_tap)) {
        block.first_tap++;
        block.taps--;
    }
    while (block.taps > 1 && zero_tap(block.first_tap + block.taps - 1)) {
        block.taps--;
    }
}

/// Writes the rows of a block, encoded and interleaved: [tap][lane][16]. `row` is scratch memory for one row.
void interleave(const OutputBlock & block, const SourceRows & rows, int64_t channels,
                const SourceRows::Encoding & encoding, std::vector<std::byte> & row, std::byte * to) {
    const int64_t lanes = block.taps * channels / lane_values(encoding.type);
    auto * scales = writable<std::byte>(block.scales);
    for (int64_t i = 0; i < block.channels; i++) {
        rows.encode(i, block.first_tap * channels, block.taps * channels, encoding, row.data(),
                    scales + i * weight_scale_bytes(encoding.type));
        for (int64_t lane = 0; lane < lanes; lane++) {
            std::memcpy(to + (lane * output_block_channels + i) * lane_bytes, row.data() + lane * lane_bytes,
                        lane_bytes);
        }
    }
}

void pack_blocks(PackedWeights & to, const RowReader & read, const float * bias, ComputeType stored) {
    const int64_t taps = to.shape.kernel_size;
    const int64_t channels = to.shape.group_channels();
    const bool winograd = to.scheme != nullptr;
    const bool transformed_to_i16 = winograd && to.type() == ComputeType::i16;
    const Layout layout(to);
    allocate_blocks(to, layout);
    // Winograd's transform takes floats, which are encoded afterwards.
    const SourceRows::Encoding encoding = {winograd ? ComputeType::f32 : to.type(), stored,
                                           to.kernel != nullptr ? to.kernel->weight_zero : 0};
    const auto block_floats = [](int64_t steps, int64_t of) {
        return static_cast<size_t>(output_block_channels * steps * of);
    };
    std::vector<std::byte> row(static_cast<size_t>(taps * channels / lane_values(encoding.type) * lane_bytes));
    std::vector<float> direct(winograd ? block_floats(taps, channels) : 0);
    std::vector<float> transformed(transformed_to_i16 ? block_floats(layout.steps, channels) : 0);
    for (OutputBlock & block : to.blocks) {
        const SourceRows rows = read(block.first_channel, block.channels);
        if (bias != nullptr) {
            std::copy_n(bias + block.first_channel, block.channels, writable<float>(block.biases));
        }
        if (!winograd) {
            if (to.phases > 1) {
                trim_taps(block, rows, channels);
            }
            interleave(block, rows, channels, encoding, row, writable<std::byte>(block.weights));
            continue;
        }
        interleave(block, rows, channels, encoding, row, reinterpret_cast<std::byte *>(direct.data()));
        winograd_weights(*to.scheme, taps, channels * output_block_channels, direct.data(),
                         transformed_to_i16 ? transformed.data() : writable<float>(block.weights));
        std::fill(direct.begin(), direct.end(), 0.0F);
        if (transformed_to_i16) {
            encode_i16_block(transformed.data(), layout.steps * channels / quant_block,
                             writable<std::byte>(block.weights), writable<std::byte>(block.scales));
        }
    }
}

void pair_blocks(PackedWeights & to) {
    for (size_t i = 0; i < to.blocks.size(); i++) {
        const OutputBlock * first = &to.blocks[i];
        const OutputBlock * second = i + 1 < to.blocks.size() ? first + 1 : nullptr;
        const bool paired = second != nullptr && first->channels == output_block_channels &&
                            second->group == first->group && second->first_tap == first->first_tap &&
                            second->taps == first->taps;
        to.pairs.push_back({first, paired ? second : nullptr});
        i += paired ? 1 : 0;
    }
}

void pack_channels(PackedWeights & to, const RowReader & read, const float * bias, ComputeType stored) {
    const int64_t channels = to.shape.group_channels(); // 1 if the convolution is depthwise
    to.channel_weights.resize(static_cast<size_t>(to.shape.kernel_size * to.shape.in_channels));
    to.channel_biases.resize(static_cast<size_t>(to.shape.out_channels), 0.0F);
    for (int64_t out = 0; out < to.shape.out_channels; out++) {
        const SourceRows row = read(out, 1);
        for (int64_t tap = 0; tap < to.shape.kernel_size; tap++) {
            float * weights = to.channel_weights.data() + tap * to.shape.in_channels + out;
            row.encode(0, tap * channels, channels, {ComputeType::f32, stored, 0},
                       reinterpret_cast<std::byte *>(weights), nullptr);
        }
    }
    if (bias != nullptr) {
        std::copy_n(bias, to.shape.out_channels, to.channel_biases.begin());
    }
}

} // namespace

void check_shape(const Conv1dShape & shape) {
    constexpr int64_t most = 1 << 20; // the product of two sizes cannot overflow int64_t
    for (const int64_t size :
         {shape.in_channels, shape.out_channels, shape.kernel_size, shape.stride, shape.dilation, shape.groups}) {
        require(size > 0 && size <= most, "sizes must be between 1 and 2^20");
    }
    require(shape.in_channels % shape.groups == 0 && shape.out_channels % shape.groups == 0,
            "channels must be divisible by groups");
}

std::shared_ptr<const PackedWeights> pack_weights(const Conv1dShape & shape, int64_t phases, int64_t left,
                                                  const RowReader & read, const float * bias, ComputeType type) {
    check_shape(shape);
    const auto to = std::make_shared<PackedWeights>();
    to->shape = shape;
    to->phases = phases;
    to->left = left >= 0 ? left : (shape.span() - 1) / 2;
    choose_kernel(*to, type);
    if (to->type() == ComputeType::f32 && (shape.out_channels == 1 || shape.depthwise())) {
        pack_channels(*to, read, bias, type);
    } else {
        pack_blocks(*to, read, bias, type);
        pair_blocks(*to);
    }
    return to;
}

} // namespace moss
