// Mandarin tone module: pitch from the waveform, tones from the pitch, all causal (training/networks/tone.py).

#pragma once

#include "config.h"

#include "../graph/layers.h"
#include "../graph/state.h"
#include "../kernels/cpu/nccf.h"

#include <memory>

namespace moss {

/// Outputs of the tone module, one row for each frame of 320 samples (20 ms).
struct ToneFrames {
    std::vector<float> log_f0;    // [T] ln Hz
    std::vector<float> voicing;   // [T] 0 … 1
    std::vector<float> logits;    // [T, classes]: none, tones 1-4, neutral
    std::vector<float> embedding; // [T, E], to be added to the encoder's input
};

class Tone {
  public:
    Tone(const GgufFile & file, const Weights & weights, int embedding_length);

    const ToneConfig & config() const { return config_; }

    /// The state of a stream: as much of the waveform as the longest lag, the running mean of ln F0, and the left
    /// context of each convolution (slots `tone.conv.N.context` and `tone.tcn.N.context`).
    class State {
      public:
        explicit State(const Tone & tone);
        void clear();
        size_t bytes() const { return slots_.bytes(); }

      private:
        friend class Tone;
        Nccf nccf_;
        double mean_total_ = 0, mean_count_ = 0;
        StreamState slots_;
        std::vector<ggml_tensor *> conv_, tcn_;
    };

    /// Continues the stream with samples [N], where N is a positive multiple of 320. Appends N / 320 frames.
    void push(Runner & runner, State & state, const float * samples, size_t count, ToneFrames & frames) const;

  private:
    void push_part(Runner & runner, State & state, const float * samples, size_t frames, ToneFrames & out) const;

    ToneConfig config_;
    const Device & device_; // of the weights and states
    std::vector<Conv1d> conv_, tcn_;
    Linear f0_, logits_, embd_;
    std::vector<float> lag_log_f0_;
};

} // namespace moss
