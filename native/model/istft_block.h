// A residual block of the waveform generator, as a stream: HiFi-GAN's block of type 1 with snake activations. A
// normalisation, whose scale and shift are constants of the voice, precedes each snake.

#pragma once

#include "../graph/conv.h"
#include "../graph/window.h"
#include "../kernels/cpu/snake.h"

#include <string>
#include <vector>

namespace moss {

/// Weights for mixing the constants of the voices, one for each voice; their sum is 1.
using VoiceMix = std::vector<float>;

class IstftBlock {
  public:
    struct Shape {
        int64_t channels = 0;
        int64_t kernel = 0;         // odd
        std::vector<int> dilations; // one for each pair of convolutions
        int64_t voices = 0;
    };

    /// Loads the tensors `name`.*. Throws model_format.
    IstftBlock(const Shape & shape, const Weights & weights, const std::string & name);

    class Stream;

    /// The number of input frames after a frame that its output depends on.
    int64_t lookahead() const;
    /// The number of frames before the end of its input that are read again for the first residual sum. The buffer of
    /// the input must keep them.
    int64_t lag() const { return first_[0].right() + second_[0].right(); }

    /// Processes the new frames of x and returns the buffer of the block's output.
    const StreamBuffer & push(Graph & g, Stream & stream, const StreamBuffer & x, bool last) const;

  private:
    /// The constants of a normalisation and of the snake after it, for every voice.
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
    /// The output buffer keeps the last `wait` frames, so that they can be read again.
    Stream(const IstftBlock & block, StreamState & state, const VoiceMix & mix, int64_t wait);
    Stream(Stream &&) = default;

  private:
    friend class IstftBlock;
    struct Stage {
        SnakeConstants snake1, snake2;
        StreamBuffer outer; // output of the first snake
        StreamBuffer inner; // output of the first convolution and the second snake
        StreamBuffer sum;   // input plus the output of the second convolution
    };
    std::vector<Stage> stages_; // graphs hold pointers to the constants in it
};

} // namespace moss
