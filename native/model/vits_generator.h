// Waveform generator: HiFi-GAN up-sampling with residual blocks and a multi-band iSTFT head
// (training/networks/vits_generator.py).

#pragma once

#include "vits_config.h"

#include "../graph/conv.h"
#include "../graph/layers.h"
#include "../graph/window.h"

#include <vector>

namespace moss {

class Generator {
  public:
    /// `reversed_input`: z comes with its channels in reverse order.
    Generator(const DecoderConfig & config, const Weights & weights, bool reversed_input);

    class Stream;

    /// z [Z, T] (null: none), speaker [G] -> samples [1, hop T'] or null.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * z, ggml_tensor * speaker, bool last) const;

  private:
    /// HiFi-GAN residual block: type 1 has two convolutions a dilation, type 2 one.
    struct ResBlock {
        std::vector<PackedConv1d> first, second;
    };
    struct ResStream;

    static ggml_tensor * residual(Graph & g, const ResBlock & block, ResStream & stream, ggml_tensor * x, bool last);
    ggml_tensor * spectrum(Graph & g, ggml_tensor * x) const;

    const DecoderConfig config_;
    PackedConv1d pre_;
    Linear cond_;
    std::vector<PackedConv1d> up_;
    std::vector<ResBlock> res_; // for each up-sampling, one a kernel
    PackedConv1d post_;
    PackedConv1d synthesis_; // inverse STFT and synthesis filter bank, in one
};

struct Generator::ResStream {
    std::vector<Window> first, second;
    std::vector<Delay> pending; // type 1: a pair's input, until its output is there
    Delay output;               // the block's output, until the slowest block's is there
};

class Generator::Stream {
  public:
    Stream(const Generator & generator, StreamState & state);

  private:
    friend class Generator;
    Window pre_, post_, synthesis_;
    std::vector<Window> up_;
    std::vector<ResStream> res_;
};

} // namespace moss
