// Weights as the kernels read them: what PackedConv1d and PackedLinear hold.

#pragma once

#include "conv1d.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

namespace moss {

struct Conv1dKernel;
struct WinogradScheme;

/// Output channels of an OutputBlock: the width of every kernel's register tile, or half of it.
constexpr int64_t output_block_channels = 16;

/// Up to 16 output channels of one group of a convolution, whose weights are interleaved. Those that are not there have
/// weights of 0.
struct OutputBlock {
    const std::byte * weights; // [tap][lane][16] lanes; for Winograd [point][segment of taps][lane][16]
    const std::byte * scales;  // [tap][quant block][16], F16 for Q8_0, F32 for I16; for Winograd as the weights
    const float * biases;      // [16]; those of the next block follow
    int64_t first_tap;         // the taps that are there: the weights of the others are zero
    int64_t taps;
    int64_t first_channel; // of the outputs
    int64_t channels;      // 1 .. 16
    int64_t group;
};

/// One output block, or two neighbours of the same group and the same taps. One thread computes a pair, at once where
/// the kernel can.
struct OutputBlockPair {
    const OutputBlock * first;
    const OutputBlock * second; // or null

    int64_t channels() const { return first->channels + (second != nullptr ? second->channels : 0); }
    /// Channels of the blocks, with those that are not there.
    int64_t padded_channels() const { return second != nullptr ? 2 * output_block_channels : output_block_channels; }
};

/// Weights that are packed. Immutable once pack_weights has returned them.
struct PackedWeights {
    Conv1dShape shape; // of the packed convolution: out_channels includes the phases
    int64_t phases = 1;
    int64_t left = 0;                        // "same" padding before the first frame
    const Conv1dKernel * kernel = nullptr;   // null: F32, in which every kernel reads the same weights
    const WinogradScheme * scheme = nullptr; // null: computed directly

    std::vector<OutputBlock> blocks;
    std::vector<OutputBlockPair> pairs;                                           // of all blocks
    std::unique_ptr<std::byte, decltype(&std::free)> storage{nullptr, std::free}; // what the blocks point to

    // Instead of blocks, where those would be nearly empty (see per_channel): F32.
    std::vector<float> channel_weights; // [tap][channel]
    std::vector<float> channel_biases;  // [out]

    /// Whether outputs are computed a channel at a time: of a single output channel, or each from its own input
    /// channel.
    bool per_channel() const { return !channel_weights.empty(); }
    /// The type in which it is computed.
    ComputeType type() const;
    /// Multiplications of so many frames of the packed convolution, computed directly.
    double multiplications(int64_t frames) const;
};

/// Rows of weights as they come, [out][tap][channel]: floats, or blocks of Q8_0.
class SourceRows {
  public:
    /// Rows of `row` floats each.
    SourceRows(const float * values, int64_t row) : values_(values), row_(row) {}
    /// Rows of `row` values in blocks of Q8_0.
    static SourceRows of_q8_0(const uint8_t * blocks, int64_t row);

    /// Whether values first .. first + count of a row of floats are zero.
    bool zero(int64_t out, int64_t first, int64_t count) const;

    /// How a row's values are encoded: as lanes of `type`, after they were rounded to BF16 where `rounded` is that.
    struct Encoding {
        ComputeType type;
        ComputeType rounded;
        int32_t weight_zero; // added to each weight in Q8_0
    };

    /// Writes values first .. first + count of a row to `to`, and the scales of its quant blocks to every 16th place of
    /// `scales`, where `type` has them.
    void encode(int64_t out, int64_t first, int64_t count, const Encoding & encoding, std::byte * to,
                std::byte * scales) const;

  private:
    SourceRows(const void * blocks, const float * values, int64_t row) : values_(values), blocks_(blocks), row_(row) {}

    const float * values_ = nullptr;
    const void * blocks_ = nullptr; // of Q8_0
    int64_t row_;
};

/// Gives rows first .. first + count, valid until the next call.
using RowReader = std::function<SourceRows(int64_t first, int64_t count)>;

/// Sets the kernel, and with it the compute type, and the algorithm for weights that are stored in `type`, by shape and
/// CPU.
void choose_kernel(PackedWeights & to, ComputeType type);

/// Throws std::invalid_argument for impossible sizes.
void check_shape(const Conv1dShape & shape);

/// `left` < 0: (span - 1) / 2. Throws std::invalid_argument for impossible sizes.
std::shared_ptr<const PackedWeights> pack_weights(const Conv1dShape & shape, int64_t phases, int64_t left,
                                                  const RowReader & read, const float * bias, ComputeType type);

/// Values [32 * quant_blocks][16] of an output block as lanes of I16 [16 * quant_blocks][16] with scales
/// [quant_blocks][16].
void encode_i16_block(const float * from, int64_t quant_blocks, std::byte * to, std::byte * scales);

} // namespace moss
