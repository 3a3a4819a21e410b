// Wav2Vec-style feature encoder: strided convolutions over the waveform (training/networks/frontend.py; transformers
// Wav2Vec2FeatureEncoder).

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
        size_t bytes() const { return slots_.bytes(); }

      private:
        friend class Frontend;
        StreamState slots_;
        std::vector<ggml_tensor *> context_; // null where a convolution remembers nothing
    };

    /// Causal models: samples [N], N a positive multiple of hop_length(), continue the stream. Appends N / hop_length()
    /// frames of feature_size() values to `features`.
    void push(Runner & runner, State & state, const float * samples, size_t count, std::vector<float> & features) const;

    /// An utterance for a model that is not causal. What spans all of it, normalization and group norm, is measured
    /// first; then any frames can be had, in bounded memory.
    class Utterance {
      public:
        /// `samples` are kept by reference. Throws audio_length below receptive_field() samples.
        Utterance(const Frontend & frontend, const float * samples, size_t count);

        int64_t frames() const { return frames_; }

        /// Appends the frames first … first + count, of feature_size() values, to `features`.
        void read(Runner & runner, int64_t first, int64_t count, std::vector<float> & features) const;

      private:
        void fold_group_norm();

        const Frontend & frontend_;
        const float * samples_;
        size_t count_;
        int64_t frames_;
        double mean_ = 0, scale_ = 1;               // normalization: (sample - mean) * scale
        std::unique_ptr<const PackedConv1d> first_; // group norm: the first convolution and this utterance's norm
    };

    /// Samples that one frame sees in a model that is not causal.
    size_t receptive_field() const;

  private:
    ggml_tensor * build(Graph & g, ggml_tensor * x, State * state, const PackedConv1d * first) const;

    FrontendConfig config_;
    const Device & device_; // of its weights and states
    std::vector<Conv1d> conv_;
    std::vector<LayerNorm> norm_;
    std::vector<float> group_conv_, group_norm_; // group norm: the first convolution's weight; the norm's weight, bias
};

} // namespace moss
