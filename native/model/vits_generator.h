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
    ggml_tensor * spectrum(Graph & g, ggml_tensor * x, Excitation & excitation) const;

    const DecoderConfig config_;
    PackedConv1d pre_;
    Linear cond_;
    Upsampler up_;
    PackedConv1d post_;
    std::optional<PackedConv1d> analysis_; // of the source: what synthesis_ undoes
    PackedConv1d synthesis_;               // inverse STFT and synthesis filter bank, in one
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
