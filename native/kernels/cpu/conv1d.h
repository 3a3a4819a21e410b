// 1-D convolution and transposed convolution over [C, T] (ne0 = channel, ne1 = time), as operations of a ggml graph.
//
// Direct: no im2col. In this layout the taps of one output are one run of memory (for dilation 1), so a convolution is
// a matrix product whose rows overlap. Weights are packed once into panels of 16 output channels; the inner kernel
// keeps a tile of times x panels in registers. It is chosen at run time, by the weights' type and the CPU.
//
// In F32 those of stride 1 with several taps are computed after Winograd instead (conv1d_winograd.h), with half of the
// multiplications or fewer.

#pragma once

#include "ggml.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

namespace moss {

/// A function applied to every value, fused into a convolution.
struct Activation {
    enum Kind : int32_t { none, relu, leaky_relu, tanh, gelu }; // gelu by erf, as PyTorch's
    Kind kind = none;
    float slope = 0.0F; ///< of leaky_relu, below zero

    static Activation leaky(float slope) { return {leaky_relu, slope}; }

    /// Is it a factor below zero?
    bool linear() const { return kind == none || kind == relu || kind == leaky_relu; }
    /// Which one, then.
    float factor() const { return kind == relu ? 0.0F : kind == leaky_relu ? slope : 1.0F; }
};

/// In what a convolution multiplies.
enum class ConvType : int32_t {
    f32,
    bf16, ///< weights and inputs rounded to BF16
    q8_0, ///< as ggml's: a scale for each 32 weights of an output channel, and for each 32 channels of an input frame;
          ///< no scale spans frames, so a row's result does not depend on its neighbours
    i16,  ///< of no file: the same with 14 bits instead of 8, finer than BF16 and twice as fast as F32 with AVX2
};

/// Sizes of a convolution, checked by PackedConv1d: all > 0, channels divisible by groups.
struct Conv1dShape {
    int64_t in_channels = 0;
    int64_t out_channels = 0;
    int64_t kernel_size = 1;
    int64_t stride = 1;
    int64_t dilation = 1;
    int64_t groups = 1;
};

/// Where the weights to be packed come from, a few rows at a time, so that they need not be in memory as a whole: gives
/// rows first .. first + count, each one an output channel's weights, to be valid until the next call.
template <class T>
using WeightRows = std::function<const T *(int64_t first, int64_t count)>;

/// Weights of a convolution, packed for the kernels. Immutable; outlives every graph that uses it.
class PackedConv1d {
  public:
    /// PyTorch's Conv1d. `weight` [out_channels][kernel_size][in_channels / groups], the input channel fastest (the
    /// GGUF's layout; not PyTorch's own); `bias` [out_channels] or null. Throws std::invalid_argument for impossible
    /// sizes. Where this CPU is not faster in `type`, or a group's channels are no multiple of what it computes at once
    /// (2 of BF16, 32 of Q8_0 and I16), the weights are rounded to BF16, if that is it, and computed with in I16 or
    /// F32: type() says so. Where results are Winograd's, their last bits depend on where in time a call begins.
    PackedConv1d(const Conv1dShape & shape, const float * weight, const float * bias, ConvType type = ConvType::f32);

    /// The same, its weights read row by row [kernel_size][in_channels / groups], each once and in order.
    PackedConv1d(const Conv1dShape & shape, const WeightRows<float> & weight, const float * bias, ConvType type);

    /// PyTorch's ConvTranspose1d, whose output is cut: `drop` samples at its start, and its end so that T frames give
    /// stride * T. (kernel_size - stride = 2 * padding in PyTorch: drop = padding.) `shape`: groups and dilation are 1;
    /// `weight` [out_channels][kernel_size][in_channels]. It is packed as a convolution with stride * out_channels
    /// outputs, of which each phase keeps only the taps that reach it; left() and right() are that convolution's
    /// padding.
    static PackedConv1d transposed(const Conv1dShape & shape, int64_t drop, const float * weight, const float * bias,
                                   ConvType type = ConvType::f32);

    /// A linear layer, a convolution of width 1, of rows of ggml's Q8_0 blocks [in / 32], which are repacked as they
    /// are. Throws std::invalid_argument for impossible sizes, and where this CPU has no kernel for Q8_0.
    static PackedConv1d linear_q8_0(int64_t in, int64_t out, const WeightRows<uint8_t> & blocks, const float * bias);

    /// Does this CPU compute in `type`, of so many channels a group?
    static bool has_kernel(ConvType type, int64_t channels);
    /// In what it computes of so many channels a group, where it has no kernel: I16, or F32 where that is as fast.
    static ConvType fallback(int64_t channels);

    /// In what it computes.
    ConvType type() const;
    /// After Winograd?
    bool winograd() const { return winograd_ != nullptr; }

    int64_t in_channels() const { return shape_.in_channels; }
    int64_t out_channels() const { return shape_.out_channels / phases_; }
    int64_t stride() const { return shape_.stride; }
    /// Output frames per frame of the packed convolution: a transposed convolution's stride, else 1.
    int64_t phases() const { return phases_; }
    /// Frames that one output sees: dilation * (kernel - 1) + 1.
    int64_t span() const { return shape_.dilation * (shape_.kernel_size - 1) + 1; }
    /// Of that many output frames.
    double multiplications(int64_t out_frames) const;
    /// "Same" padding (stride 1): (span - 1) / 2 before and the rest after; a transposed convolution's own.
    int64_t left() const { return left_; }
    int64_t right() const { return span() - 1 - left_; }

    /// Output frames of T frames with that padding; <= 0 where nothing comes out.
    int64_t out_frames(int64_t frames, int64_t left, int64_t right) const;

    PackedConv1d(PackedConv1d &&) noexcept = default;
    PackedConv1d & operator=(PackedConv1d &&) noexcept = default;
    PackedConv1d(const PackedConv1d &) = delete;
    PackedConv1d & operator=(const PackedConv1d &) = delete;

  private:
    friend class Conv1dTask;

    /// 16 output channels of one group.
    struct Panel {
        const std::byte *
            weights;              // [tap][channel / lane][16] lanes of 32 bits; after Winograd [point][block] for [tap]
        const float * biases;     // [16]
        const std::byte * scales; // Q8_0: F16, I16: F32 [tap][block][16]
        int64_t first_tap;        // taps outside first_tap .. first_tap + taps are zero
        int64_t taps;
        int64_t out;   // its first output channel
        int64_t width; // 1 .. 16
        int64_t group;
        bool paired; // the next panel continues it: both may be computed at once
    };

    class Rows;
    using RowReader = std::function<Rows(int64_t first, int64_t count)>;

    PackedConv1d(const Conv1dShape & shape, int64_t phases, int64_t left);
    bool depthwise() const { return shape_.groups == shape_.in_channels && shape_.groups == shape_.out_channels; }
    void choose(ConvType type); // sets kernel_ and winograd_
    void pack(const RowReader & read, const float * bias, ConvType type);
    void pack_plain(const RowReader & read, const float * bias, ConvType rounded);

    Conv1dShape shape_; // of the packed convolution: out_channels includes the phases
    int64_t phases_;
    int64_t left_;
    const struct Conv1dKernel * kernel_ = nullptr;     // that the weights are packed for; null: any of F32's
    const struct WinogradScheme * winograd_ = nullptr; // how F32 and I16 are computed; null: directly
    std::vector<Panel> panels_;
    std::unique_ptr<std::byte, decltype(&std::free)> storage_{nullptr, std::free}; // what the panels point to
    // F32's only output channel, or channels each on their own, instead of panels:
    std::vector<float> plain_;        // [tap][channel]
    std::vector<float> plain_biases_; // [out]
};

/// What is fused into one use of a convolution.
struct Conv1dOptions {
    int64_t left = 0;                  ///< frames of zeros before x
    int64_t right = 0;                 ///< and after it
    Activation input;                  ///< applied to x (0 stays 0 in all of them, so padding is not changed by it)
    Activation output;                 ///< applied to the sum of convolution, bias and condition
    ggml_tensor * condition = nullptr; ///< [Cout] F32, contiguous: a second bias
    ggml_tensor * into = nullptr;      ///< [Cout, T'] F32, contiguous: where to write; null: memory of its own
    ggml_tensor * residual = nullptr;  ///< [Cout, T'] F32, rows of any stride: added after the output's activation
};

/// x [Cin, T] F32 (rows contiguous, of any stride) -> [Cout, T'], T' = phases * ((left + T + right - span) / stride +
/// 1). Throws std::invalid_argument when a shape does not fit or nothing would come out.
ggml_tensor * conv1d(ggml_context * context, ggml_tensor * x, const PackedConv1d & conv,
                     const Conv1dOptions & options = {});

/// The same with "same" padding: stride 1 gives T frames, a transposed convolution stride * T.
ggml_tensor * conv1d_same(ggml_context * context, ggml_tensor * x, const PackedConv1d & conv,
                          Conv1dOptions options = {});

} // namespace moss
