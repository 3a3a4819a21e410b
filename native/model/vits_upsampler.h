// HiFi-GAN's up-sampling with residual blocks (Kong et al. 2020), as a stream: the main part of the generators of nano
// and of imported voices.

#pragma once

#include "../graph/conv.h"
#include "../graph/window.h"

#include <string>
#include <vector>

namespace moss {

struct UpsamplerShape {
    int64_t channels = 0;                    // of the input; halved at each up-sampling
    std::vector<int> rates, kernels;         // each kernel is its rate plus an even number
    int resblock_type = 0;                   // HiFi-GAN's type 1 has two convolutions for each dilation, type 2 has one
    std::vector<int> res_kernels;            // odd
    std::vector<std::vector<int>> dilations; // for each of res_kernels
    float slope = 0.1F;                      // of the leaky ReLUs

    int64_t out_channels() const { return channels >> rates.size(); }
};

class Upsampler {
  public:
    /// Tensors `name`.up.* and `name`.res.*. Throws model_format.
    Upsampler(const UpsamplerShape & shape, const Weights & weights, const std::string & name);

    class Stream;

    /// x [C, T] (null for none) -> [C >> n, rates T'] or null. Stages are `name`.up.N.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * x, bool last) const;

  private:
    struct ResBlock {
        std::vector<PackedConv1d> first, second;
    };
    struct ResStream;

    const StreamBuffer & residual(Graph & g, const ResBlock & block, ResStream & stream, const StreamBuffer & input,
                                  bool last) const;

    UpsamplerShape shape_;
    std::string name_;
    std::vector<PackedConv1d> up_;
    std::vector<ResBlock> res_; // one for each up-sampling and kernel
};

struct Upsampler::ResStream {
    std::vector<StreamBuffer> middle; // with type 1: between the two convolutions
    std::vector<StreamBuffer> sums;   // outputs of the residual connections; the last one is that of the block
};

class Upsampler::Stream {
  public:
    Stream(const Upsampler & upsampler, StreamState & state);

  private:
    friend class Upsampler;
    std::vector<Window> up_;
    std::vector<StreamBuffer> inputs_; // of the residual blocks, for each up-sampling
    std::vector<int64_t> done_;        // for each up-sampling, the frames of the blocks' mean so far
    std::vector<ResStream> res_;
};

} // namespace moss
