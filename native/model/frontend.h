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

    /// The state of a stream: the left context of each convolution, in the slots `frontend.conv.N.context`.
    class State {
      public:
        explicit State(const Frontend & frontend);
        void clear() { slots_.clear(); }
        size_t bytes() const { return slots_.bytes(); }

      private:
        friend class Frontend;
        StreamState slots_;
        std::vector<ggml_tensor *> context_; // null for a convolution without left context
    };

    /// Continues the stream of a causal model with samples [N], where N is a positive multiple of hop_length(). Appends
    /// N / hop_length() frames of feature_size() values to `features`.
    void push(Runner & runner, State & state, const float * samples, size_t count, std::vector<float> & features) const;

    /// An utterance for a model that is not causal. The constructor measures what normalization and group norm need of
    /// the whole utterance; afterwards any range of frames can be computed in bounded memory.
    class Utterance {
      public:
        /// `samples` must outlive the object. Throws audio_length for fewer than receptive_field() samples.
        Utterance(const Frontend & frontend, const float * samples, size_t count);

        int64_t frames() const { return frames_; }

        /// Appends frames first … first + count, of feature_size() values each, to `features`.
        void read(Runner & runner, int64_t first, int64_t count, std::vector<float> & features) const;

      private:
        void fold_group_norm();

        const Frontend & frontend_;
        const float * samples_;
        size_t count_;
        int64_t frames_;
        double mean_ = 0, scale_ = 1; // normalization: (sample - mean) * scale
        std::unique_ptr<const PackedConv1d>
            first_; // with group norm: the first convolution, with the norm of this utterance folded in
    };

    /// The number of samples that one frame sees in a model that is not causal.
    size_t receptive_field() const;

  private:
    ggml_tensor * build(Graph & g, ggml_tensor * x, State * state, const PackedConv1d * first) const;

    FrontendConfig config_;
    const Device & device_; // of the weights and states
    std::vector<Conv1d> conv_;
    std::vector<LayerNorm> norm_;
    std::vector<float> group_conv_,
        group_norm_; // with group norm: the weight of the first convolution; the weight and bias of the norm
};

} // namespace moss
