// A residual block of the waveform generator: HiFi-GAN's of type 1 with snakes, each behind a normalisation whose
// constants are a voice's. As a stream.

#pragma once

#include "../graph/conv.h"
#include "../graph/window.h"
#include "../kernels/cpu/snake.h"

#include <string>
#include <vector>

namespace moss {

/// The share of each voice in what is spoken; their sum is 1. Constants are mixed as it says.
using VoiceMix = std::vector<float>;

class IstftBlock {
  public:
    struct Shape {
        int64_t channels = 0;
        int64_t kernel = 0;         // odd
        std::vector<int> dilations; // of each pair of convolutions
        int64_t voices = 0;
    };

    /// Tensors `name`.*. Throws model_format.
    IstftBlock(const Shape & shape, const Weights & weights, const std::string & name);

    class Stream;

    /// Frames that an output sees to the right.
    int64_t lookahead() const;
    /// Frames by which it reads its input again, which that must keep.
    int64_t lag() const { return first_[0].right() + second_[0].right(); }

    /// Frames of x that are new -> the block's output so far.
    const StreamBuffer & push(Graph & g, Stream & stream, const StreamBuffer & x, bool last) const;

  private:
    /// A normalisation and the snake behind it, of every voice.
    struct Norm {
        Norm(const Weights & weights, const std::string & block, const std::string & index, const Shape & shape);
        SnakeConstants mixed(const VoiceMix & mix) const;

        std::vector<float> scale, shift; // [voices][C]
        std::vector<float> alpha;        // [C]
    };

    std::string name_;
    int64_t channels_;
    std::vector<Norm> norm1_, norm2_; // before the convolutions
    std::vector<PackedConv1d> first_, second_;
};

class IstftBlock::Stream {
  public:
    /// The output stays to be read again for `wait` frames.
    Stream(const IstftBlock & block, StreamState & state, const VoiceMix & mix, int64_t wait);
    Stream(Stream &&) = default;

  private:
    friend class IstftBlock;
    struct Stage {
        SnakeConstants snake1, snake2;
        StreamBuffer outer; // behind the first snake
        StreamBuffer inner; // behind the first convolution and the second snake
        StreamBuffer sum;   // of input and what the second convolution gives
    };
    std::vector<Stage> stages_; // graphs read their constants
};

} // namespace moss
