// 1-D convolution and transposed convolution over [C, T] (ne0 = channel, ne1 = time), as operations of a ggml graph.
//
// There is no im2col: in this layout the taps of one output frame are one run of memory (for dilation 1), so that a
// convolution is a matrix product whose rows overlap. The weights are packed once into blocks of 16 output channels,
// and an inner kernel (conv1d_kernel.h) keeps a tile of frames x output channels in registers. Which kernel that is
// depends on the compute type and the CPU.
//
// Convolutions of stride 1 with several taps are computed by Winograd's algorithm (conv1d_winograd.h) in F32 and I16,
// with half of the multiplications or fewer.
//
//     conv1d.cpp          builds the operation and runs it: plan, then each thread its share
//     conv1d_plan         which frames and output channels each thread computes, fixed by the shapes
//     conv1d_input        reads, pads, activates and quantizes input frames, or transforms them for Winograd
//     conv1d_direct, conv1d_winograd, conv1d_per_channel    multiply, in the three ways that there are
//     conv1d_output       what is added to the sums, and where they are written
//     conv1d_weights      the weights as they are packed
//     conv1d_choice, conv1d_pack, conv1d_encode    which kernel they are packed for, in which layout, in which numbers

#pragma once

#include "activations.h"
#include "compute_type.h"

#include "ggml.h"

#include <cstdint>
#include <memory>

namespace moss {

struct PackedWeights;

/// Sizes of a convolution, checked by PackedConv1d: each 1 .. 2^20, channels divisible by groups.
struct Conv1dShape {
    int64_t in_channels = 0;
    int64_t out_channels = 0;
    int64_t kernel_size = 1;
    int64_t stride = 1;
    int64_t dilation = 1;
    int64_t groups = 1;

    /// Frames that one output frame sees.
    int64_t span() const { return dilation * (kernel_size - 1) + 1; }
    /// Input channels that one output channel sees.
    int64_t group_channels() const { return in_channels / groups; }
    /// Whether each output channel sees one input channel, its own.
    bool depthwise() const { return groups == in_channels && groups == out_channels; }
};

/// Weights of a convolution, packed for the kernels. Immutable; copies share them. It outlives every graph that uses
/// it.
class PackedConv1d {
  public:
    /// PyTorch's Conv1d. `weight` [out_channels][kernel_size][in_channels / groups], the input channel fastest (the
    /// GGUF's layout; not PyTorch's own); `bias` [out_channels] or null. Throws std::invalid_argument for impossible
    /// sizes.
    ///
    /// type() is `type` where the CPU has a kernel for it, no other is faster, and a group's channels are a multiple of
    /// what the kernel takes at once (2 in BF16, 32 in Q8_0 and I16). Elsewhere it is fallback_type(), with weights
    /// that were rounded to BF16 before if that is `type`. The last bits of what is computed by Winograd's algorithm
    /// depend on the frame at which a call begins.
    PackedConv1d(const Conv1dShape & shape, const float * weight, const float * bias,
                 ComputeType type = ComputeType::f32);

    /// The same, its weights read row by row [kernel_size][in_channels / groups].
    PackedConv1d(const Conv1dShape & shape, const WeightRows<float> & weight, const float * bias, ComputeType type);

    /// PyTorch's ConvTranspose1d with its output cut: `drop` samples at the start, and as many at the end that T frames
    /// give stride * T. (Where kernel_size - stride = 2 * padding in PyTorch, drop = padding.) In `shape` groups and
    /// dilation are 1; `weight` is [out_channels][kernel_size][in_channels]. Throws std::invalid_argument.
    ///
    /// It is packed as a convolution with stride * out_channels outputs, one set of output channels for each phase of
    /// the stride; left() and right() are that convolution's padding.
    static PackedConv1d transposed(const Conv1dShape & shape, int64_t drop, const float * weight, const float * bias,
                                   ComputeType type = ComputeType::f32);

    /// The type in which it is computed.
    ComputeType type() const;
    /// Whether it is computed by Winograd's algorithm.
    bool winograd() const;

    int64_t in_channels() const;
    int64_t out_channels() const;
    int64_t stride() const;
    /// Output frames for each frame of the packed convolution: the stride of a transposed convolution, else 1.
    int64_t phases() const;
    /// Frames that one output frame sees: dilation * (kernel_size - 1) + 1.
    int64_t span() const;
    /// Multiplications of so many output frames, computed directly.
    double multiplications(int64_t out_frames) const;
    /// "Same" padding (stride 1): (span - 1) / 2 frames before and the rest after; or a transposed convolution's own.
    int64_t left() const;
    int64_t right() const;

    /// Output frames of so many frames with that padding; <= 0 where nothing comes out.
    int64_t out_frames(int64_t frames, int64_t left, int64_t right) const;

  private:
    friend ggml_tensor * conv1d(ggml_context *, ggml_tensor *, const PackedConv1d &, const struct Conv1dOptions &);

    explicit PackedConv1d(std::shared_ptr<const PackedWeights> weights);

    std::shared_ptr<const PackedWeights> weights_;
};

/// What is fused into one use of a convolution.
struct Conv1dOptions {
    int64_t left = 0;                  ///< frames of zeros before x
    int64_t right = 0;                 ///< frames of zeros after it
    Activation input;                  ///< of x (all of them keep 0, so padding stays what it is)
    Activation output;                 ///< of the sum of convolution, bias and condition
    ggml_tensor * condition = nullptr; ///< [Cout] F32, contiguous: a second bias
    ggml_tensor * residual = nullptr;  ///< [Cout, T'] F32, its frames any stride apart: added after the activation
    ggml_tensor * into = nullptr;      ///< [Cout, N] F32, contiguous: frames into_first .. into_first + T' of it are
    int64_t into_first = 0;            ///< written, and it is the result
};

/// x [Cin, T] F32 (its frames any stride apart) -> [Cout, T'], T' = phases * ((left + T + right - span) / stride + 1),
/// or options.into [Cout, N] with these frames written. Throws std::invalid_argument when a shape does not fit or
/// nothing would come out.
ggml_tensor * conv1d(ggml_context * context, ggml_tensor * x, const PackedConv1d & conv,
                     const Conv1dOptions & options = {});

/// The same with "same" padding: stride 1 gives T frames, a transposed convolution stride * T.
ggml_tensor * conv1d_same(ggml_context * context, ggml_tensor * x, const PackedConv1d & conv,
                          Conv1dOptions options = {});

} // namespace moss
