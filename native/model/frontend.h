// Wav2Vec-style feature encoder: strided convolutions over the waveform (training/networks/frontend.py).

#pragma once

#include "config.h"

#include "../graph/layers.h"
#include "../graph/state.h"

namespace moss {

class Frontend {
  public:
    Frontend(const GgufFile & file, const Weights & weights);

    const FrontendConfig & config() const { return config_; }
    int feature_size() const { return config_.channels.back(); }

    /// What a stream remembers: the left context of each convolution. Slots `frontend.conv.N.context`.
    class State {
      public:
        explicit State(const Frontend & frontend);
        void clear() { slots_.clear(); }

      private:
        friend class Frontend;
        StreamState slots_;
        std::vector<ggml_tensor *> context_; // null where a convolution remembers nothing
    };

    /// Causal and layer-norm models: samples [N], N a positive multiple of hop_length(), continue the stream.
    /// Appends N / hop_length() frames of feature_size() values to `features`.
    void push(Runner & runner, State & state, const float * samples, size_t count, std::vector<float> & features) const;

    static constexpr size_t max_samples = 120 * 16000; // of `whole`, whose memory grows with the utterance

    /// Any model: a whole utterance of minimum_samples() … max_samples -> features [C, T]. Throws audio_length.
    std::vector<float> whole(Runner & runner, const float * samples, size_t count) const;

    /// Samples that `whole` needs for one frame.
    size_t minimum_samples() const;

  private:
    ggml_tensor * build(Graph & g, ggml_tensor * x, State * state) const;

    FrontendConfig config_;
    std::vector<Conv1d> conv_;
    std::vector<LayerNorm> norm_;
};

} // namespace moss
