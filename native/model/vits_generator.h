// Waveform generator: HiFi-GAN up-sampling with residual blocks and a multi-band iSTFT head
// (training/networks/vits_generator.py).

#pragma once

#include "vits_config.h"
#include "vits_excitation.h"
#include "vits_upsampler.h"

#include "../graph/conv.h"
#include "../graph/layers.h"
#include "../graph/window.h"

#include <optional>

namespace moss {

class Generator {
  public:
    /// `reversed_input` says that the channels of z are in reversed order.
    Generator(const DecoderConfig & config, const Weights & weights, bool reversed_input);

    class Stream;

    /// z [Z, T] (null for none), speaker [G] -> samples [1, hop T'] or null. `excitation` is used if the config has a
    /// source.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * z, ggml_tensor * speaker, Excitation & excitation,
                       bool last) const;

    /// The number of samples before a frame that the analysis of the source sees.
    int64_t source_context() const;

  private:
    ggml_tensor * spectrum(Graph & g, ggml_tensor * x, Excitation & excitation) const;

    const DecoderConfig config_;
    PackedConv1d pre_;
    Linear cond_;
    Upsampler up_;
    PackedConv1d post_;
    std::optional<PackedConv1d> analysis_; // of the source: the inverse of synthesis_
    PackedConv1d synthesis_;               // inverse STFT and synthesis filter bank as one transposed convolution
};

class Generator::Stream {
  public:
    Stream(const Generator & generator, StreamState & state);

  private:
    friend class Generator;
    Window pre_;
    Upsampler::Stream up_;
    Window post_, synthesis_;
};

} // namespace moss
