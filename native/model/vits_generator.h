// Waveform generator: HiFi-GAN up-sampling with residual blocks and a multi-band iSTFT head
// (training/networks/vits_generator.py).

#pragma once

#include "vits_config.h"
#include "vits_excitation.h"

#include "../graph/conv.h"
#include "../graph/layers.h"
#include "../graph/window.h"

#include <optional>
#include <vector>

namespace moss {

class Generator {
  public:
    /// `reversed_input`: z comes with its channels in reverse order.
    Generator(const DecoderConfig & config, const Weights & weights, bool reversed_input);

    class Stream;

    /// z [Z, T] (null: none), speaker [G] -> samples [1, hop T'] or null. `excitation` is read where the config has a
    /// source.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * z, ggml_tensor * speaker, Excitation & excitation,
                       bool last) const;

    /// Samples that a spectrum frame of the source sees before its own.
    int64_t source_context() const;

  private:
    /// HiFi-GAN residual block: type 1 has two convolutions a dilation, type 2 one.
    struct ResBlock {
        std::vector<PackedConv1d> first, second;
    };
    struct ResStream;

    static ggml_tensor * residual(Graph & g, const ResBlock & block, ResStream & stream, ggml_tensor * x, bool last);
    ggml_tensor * spectrum(Graph & g, ggml_tensor * x, Excitation & excitation) const;

    const DecoderConfig config_;
    PackedConv1d pre_;
    Linear cond_;
    std::vector<PackedConv1d> up_;
    std::vector<ResBlock> res_; // for each up-sampling, one a kernel
    PackedConv1d post_;
    std::optional<PackedConv1d> analysis_; // of the source: what synthesis_ undoes
    PackedConv1d synthesis_;               // inverse STFT and synthesis filter bank, in one
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
