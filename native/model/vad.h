// Voice activity: whether somebody speaks, for each window of 32 ms (training/networks/vad.py; Silero VAD v6).

#pragma once

#include "config.h"

#include "../graph/layers.h"
#include "../graph/state.h"

#include <vector>

namespace moss {

/// What it hears, Hz.
constexpr int vad_sample_rate = 16000;

class Vad {
  public:
    Vad(const GgufFile & file, const Weights & weights);

    const VadConfig & config() const { return config_; }

    /// What a stream remembers: the samples before the next window, and the LSTM's slots `vad.hidden` and `vad.cell`.
    class State {
      public:
        explicit State(const Vad & vad);
        /// Back to the start of a recording.
        void clear();

      private:
        friend class Vad;
        std::vector<float> samples_; // the context of the next window, then what is not yet a whole window
        StreamState slots_;
        ggml_tensor *hidden_, *cell_; // [hidden]
        size_t context_;
    };

    /// Samples of any count continue the stream. Appends a probability of 0 to 1 for each window that is whole now.
    void push(Runner & runner, State & state, const float * samples, size_t count,
              std::vector<float> & probabilities) const;

    /// The recording is over: a window that is begun is filled with zeros.
    void finish(Runner & runner, State & state, std::vector<float> & probabilities) const;

  private:
    void run(Runner & runner, State & state, size_t windows, std::vector<float> & probabilities) const;
    ggml_tensor * features(Graph & g, ggml_tensor * frames, int64_t windows) const;

    VadConfig config_;
    const Device & device_; // of its weights and states
    Linear stft_;
    std::vector<Linear> conv_; // of three taps, as linear layers of three neighbouring frames
    Linear input_, recurrent_, output_;
};

} // namespace moss
