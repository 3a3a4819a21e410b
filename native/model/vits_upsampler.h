// HiFi-GAN's up-sampling with residual blocks (Kong et al. 2020), as a stream. The trunk of nano's generator and of
// imported voices'.

#pragma once

#include "../graph/conv.h"
#include "../graph/window.h"

#include <string>
#include <vector>

namespace moss {

struct UpsamplerShape {
    int64_t channels = 0;                    // of the input; halved at each up-sampling
    std::vector<int> rates, kernels;         // a kernel is its rate plus an even number
    int resblock_type = 0;                   // 1: two convolutions a dilation; 2: one
    std::vector<int> res_kernels;            // odd
    std::vector<std::vector<int>> dilations; // of each res_kernel
    float slope = 0.1F;                      // of the leaky ReLUs

    int64_t out_channels() const { return channels >> rates.size(); }
};

class Upsampler {
  public:
    /// Tensors `name`.up.* and `name`.res.*. Throws model_format.
    Upsampler(const UpsamplerShape & shape, const Weights & weights, const std::string & name);

    class Stream;

    /// x [C, T] (null: none) -> [C >> n, rates T'] or null. Stages are `name`.up.N.
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
    std::vector<ResBlock> res_; // for each up-sampling, one a kernel
};

struct Upsampler::ResStream {
    std::vector<StreamBuffer> middle; // type 1: between the two convolutions
    std::vector<StreamBuffer> sums;   // what a residual connection has added; the last one is the block's output
};

class Upsampler::Stream {
  public:
    Stream(const Upsampler & upsampler, StreamState & state);

  private:
    friend class Upsampler;
    std::vector<Window> up_;
    std::vector<StreamBuffer> inputs_; // of the residual blocks, for each up-sampling
    std::vector<int64_t> done_;        // frames of the blocks' mean
    std::vector<ResStream> res_;
};

} // namespace moss
