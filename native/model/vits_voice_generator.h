// Waveform generator of an imported voice, as a stream: HiFi-GAN, whose last convolution outputs the samples.

#pragma once

#include "vits_upsampler.h"
#include "vits_voice_config.h"

#include "../graph/layers.h"

#include <optional>

namespace moss {

class VoiceGenerator {
  public:
    /// `reversed_input` says that the channels of z are in reversed order.
    VoiceGenerator(const VoiceConfig & config, const Weights & weights, bool reversed_input);

    class Stream;

    /// z [Z, T] (null for none), speaker [G] or null -> samples [1, hop T'] or null.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * z, ggml_tensor * speaker, bool last) const;

  private:
    PackedConv1d pre_;
    std::optional<Linear> cond_; // for the speaker embedding
    Upsampler up_;
    PackedConv1d post_;
};

class VoiceGenerator::Stream {
  public:
    Stream(const VoiceGenerator & generator, StreamState & state);

  private:
    friend class VoiceGenerator;
    Window pre_;
    Upsampler::Stream up_;
    Window post_;
};

} // namespace moss
