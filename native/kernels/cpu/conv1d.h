// 1-D convolution and transposed convolution over [C, T] (ne0 = channel, ne1 = time), as operations of a ggml graph.
//
// There is no im2col: in this layout the taps of one output frame are contiguous in memory (for dilation 1), so that a
// convolution is a matrix product whose rows overlap. The weights are packed once into blocks of 16 output channels,
// and an inner kernel (conv1d_kernel.h) keeps the sums of a few frames x 16 or 32 output channels in registers. The
// compute type and the CPU decide which kernel is used.
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

    /// The number of input frames that one output frame sees.
    int64_t span() const { return dilation * (kernel_size - 1) + 1; }
    /// The number of input channels that one output channel sees.
    int64_t group_channels() const { return in_channels / groups; }
    /// Whether each output channel sees only the input channel of the same index.
    bool depthwise() const { return groups == in_channels && groups == out_channels; }
};

/// The weights of a convolution, packed for the kernels. Immutable; copies share them. They must outlive every graph
/// that uses them.
class PackedConv1d {
  public:
    /// PyTorch's Conv1d. `weight` [out_channels][kernel_size][in_channels / groups], the input channel fastest (the
    /// GGUF's layout; not PyTorch's own); `bias` [out_channels] or null. Throws std::invalid_argument for impossible
    /// sizes.
    ///
    /// type() is `type` where the CPU has a kernel for it, no other is faster, and the channels of a group are a
    /// multiple of what the kernel takes at once (2 in BF16, 32 in Q8_0 and I16). Otherwise it is fallback_type(), and
    /// the weights are first rounded to BF16 if that is `type`. With Winograd's algorithm, the last bits of the results
    /// depend on the frame at which a call begins.
    PackedConv1d(const Conv1dShape & shape, const float * weight, const float * bias,
                 ComputeType type = ComputeType::f32);

    /// The same, with the weights read in rows of [kernel_size][in_channels / groups].
    PackedConv1d(const Conv1dShape & shape, const WeightRows<float> & weight, const float * bias, ComputeType type);

    /// PyTorch's ConvTranspose1d with its output trimmed: `drop` samples at the start, and at the end as many as leave
    /// stride * T samples of T frames. (If kernel_size - stride = 2 * padding in PyTorch, drop = padding.) `shape` must
    /// have 1 group and dilation 1; `weight` is [out_channels][kernel_size][in_channels]. Throws std::invalid_argument.
    ///
    /// It is packed as a convolution with stride * out_channels outputs, one set of output channels for each phase of
    /// the stride; left() and right() are that convolution's padding.
    static PackedConv1d transposed(const Conv1dShape & shape, int64_t drop, const float * weight, const float * bias,
                                   ComputeType type = ComputeType::f32);

    /// The type in which the convolution is computed.
    ComputeType type() const;
    /// Whether the convolution is computed by Winograd's algorithm.
    bool winograd() const;

    int64_t in_channels() const;
    int64_t out_channels() const;
    int64_t stride() const;
    /// The output frames for each frame of the packed convolution: the stride of a transposed convolution, otherwise 1.
    int64_t phases() const;
    /// The number of input frames that one output frame sees: dilation * (kernel_size - 1) + 1.
    int64_t span() const;
    /// The number of multiplications that `out_frames` output frames take when computed directly.
    double multiplications(int64_t out_frames) const;
    /// The padding before and after the input: for stride 1 "same" padding, with (span - 1) / 2 frames before and the
    /// rest after; for a transposed convolution that of its packed form.
    int64_t left() const;
    int64_t right() const;

    /// The number of output frames for `frames` input frames with that padding; <= 0 if there are none.
    int64_t out_frames(int64_t frames, int64_t left, int64_t right) const;

  private:
    friend ggml_tensor * conv1d(ggml_context *, ggml_tensor *, const PackedConv1d &, const struct Conv1dOptions &);

    explicit PackedConv1d(std::shared_ptr<const PackedWeights> weights);

    std::shared_ptr<const PackedWeights> weights_;
};

/// What is fused into one application of a convolution.
struct Conv1dOptions {
    int64_t left = 0;                  ///< frames of zeros before x
    int64_t right = 0;                 ///< frames of zeros after it
    Activation input;                  ///< of x (all activations map 0 to 0, so padding stays zero)
    Activation output;                 ///< of the sum of convolution, bias and condition
    ggml_tensor * condition = nullptr; ///< [Cout] F32, contiguous: a second bias
    ggml_tensor * residual = nullptr;  ///< [Cout, T'] F32, its frames any stride apart: added after the activation
    ggml_tensor * into = nullptr;      ///< [Cout, N] F32, contiguous, or null: the result is written into it, as
    int64_t into_first = 0;            ///< frames into_first .. into_first + T', and it is returned
};

/// x [Cin, T] F32 (its frames any stride apart) -> [Cout, T'], T' = phases * ((left + T + right - span) / stride + 1),
/// or options.into [Cout, N] with these frames written. Throws std::invalid_argument if the shapes do not match or the
/// result would be empty.
ggml_tensor * conv1d(ggml_context * context, ggml_tensor * x, const PackedConv1d & conv,
                     const Conv1dOptions & options = {});

/// The same with "same" padding: stride 1 gives T frames, a transposed convolution stride * T.
ggml_tensor * conv1d_same(ggml_context * context, ggml_tensor * x, const PackedConv1d & conv,
                          Conv1dOptions options = {});

} // namespace moss
