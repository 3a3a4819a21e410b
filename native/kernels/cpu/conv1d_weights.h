// The weights that PackedConv1d and PackedLinear hold, in the layout that the kernels read.

#pragma once

#include "conv1d.h"
#include "page_memory.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace moss {

struct Conv1dKernel;
struct WinogradScheme;

/// The output channels of an OutputBlock. Kernels compute one or two blocks at once.
constexpr int64_t output_block_channels = 16;

/// Up to 16 output channels of one group of a convolution, with their weights interleaved. A block with fewer channels
/// is padded with weights of 0.
struct OutputBlock {
    const std::byte * weights; // [tap][lane][16] lanes; for Winograd [point][segment of taps][lane][16]
    const std::byte * scales;  // [tap][quant block][16], F16 for Q8_0, F32 for I16; for Winograd as the weights
    const float * biases;      // [16], followed by those of the next block
    int64_t first_tap;         // the taps that are stored: the weights of all others are zero
    int64_t taps;
    int64_t first_channel; // among the output channels
    int64_t channels;      // 1 .. 16
    int64_t group;
};

/// One output block, or two neighbouring ones of the same group with the same taps. One thread computes a pair, both
/// blocks at once if the kernel can.
struct OutputBlockPair {
    const OutputBlock * first;
    const OutputBlock * second; // or null

    int64_t channels() const { return first->channels + (second != nullptr ? second->channels : 0); }
    /// The channels of the blocks, padding included.
    int64_t padded_channels() const { return second != nullptr ? 2 * output_block_channels : output_block_channels; }
};

/// Packed weights. Immutable once pack_weights has returned them.
struct PackedWeights {
    Conv1dShape shape; // of the packed convolution: out_channels includes the phases
    int64_t phases = 1;
    int64_t left = 0;                        // "same" padding before the first frame
    const Conv1dKernel * kernel = nullptr;   // null for F32, where all kernels read the same layout
    const WinogradScheme * scheme = nullptr; // null if computed directly

    std::vector<OutputBlock> blocks;
    std::vector<OutputBlockPair> pairs; // all output blocks
    PageMemory storage;                 // the memory to which the blocks point

    // F32 weights that are used instead of blocks where blocks would be nearly empty (see per_channel).
    std::vector<float> channel_weights; // [tap][channel]
    std::vector<float> channel_biases;  // [out]

    /// Whether outputs are computed one channel at a time: there is a single output channel, or the convolution is
    /// depthwise.
    bool per_channel() const { return !channel_weights.empty(); }
    /// The type in which the weights are multiplied.
    ComputeType type() const;
    /// The number of multiplications for `frames` frames of the packed convolution, computed directly.
    double multiplications(int64_t frames) const;
};

/// Rows of unpacked weights, [out][tap][channel]: floats, or blocks of Q8_0.
class SourceRows {
  public:
    /// Rows of `row` floats each.
    SourceRows(const float * values, int64_t row) : values_(values), row_(row) {}
    /// Rows of `row` values in blocks of Q8_0.
    static SourceRows of_q8_0(const uint8_t * blocks, int64_t row);

    /// Whether values first .. first + count of a row of floats are zero.
    bool zero(int64_t out, int64_t first, int64_t count) const;

    /// How the values of a row are encoded: as lanes of `type`. If `rounded` is BF16, they are rounded to BF16 first.
    struct Encoding {
        ComputeType type;
        ComputeType rounded;
        int32_t weight_zero; // added to each Q8_0 weight
    };

    /// Writes values first .. first + count of a row to `to`, and, for types with scales, the scales of its quant
    /// blocks to every 16th place of `scales`.
    void encode(int64_t out, int64_t first, int64_t count, const Encoding & encoding, std::byte * to,
                std::byte * scales) const;

  private:
    SourceRows(const void * blocks, const float * values, int64_t row) : values_(values), blocks_(blocks), row_(row) {}

    const float * values_ = nullptr;
    const void * blocks_ = nullptr; // Q8_0
    int64_t row_;
};

/// Returns rows first .. first + count, valid until the next call.
using RowReader = std::function<SourceRows(int64_t first, int64_t count)>;

/// Chooses, by shape and CPU, the kernel (and so the compute type) and the algorithm for weights that are stored in
/// `type`.
void choose_kernel(PackedWeights & to, ComputeType type);

/// Throws std::invalid_argument for impossible sizes.
void check_shape(const Conv1dShape & shape);

/// Packs weights. A negative `left` stands for (span - 1) / 2. Throws std::invalid_argument for impossible sizes.
std::shared_ptr<const PackedWeights> pack_weights(const Conv1dShape & shape, int64_t phases, int64_t left,
                                                  const RowReader & read, const float * bias, ComputeType type);

/// Encodes the values [32 * quant_blocks][16] of an output block as I16 lanes [16 * quant_blocks][16] with scales
/// [quant_blocks][16].
void encode_i16_block(const float * from, int64_t quant_blocks, std::byte * to, std::byte * scales);

} // namespace moss
