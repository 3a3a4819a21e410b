// Voice activity detection: the probability that somebody speaks, for each window of 32 ms (training/networks/vad.py;
// Silero VAD v6).

#pragma once

#include "config.h"

#include "../graph/layers.h"
#include "../graph/state.h"

#include <vector>

namespace moss {

/// The sample rate of the input, in Hz.
constexpr int vad_sample_rate = 16000;

class Vad {
  public:
    Vad(const GgufFile & file, const Weights & weights);

    const VadConfig & config() const { return config_; }

    /// The state of a stream: the samples before the next window, and the LSTM's state in the slots `vad.hidden` and
    /// `vad.cell`.
    class State {
      public:
        explicit State(const Vad & vad);
        /// Resets the state to the start of a recording.
        void clear();

      private:
        friend class Vad;
        std::vector<float> samples_; // the context of the next window, then the samples of that window so far
        StreamState slots_;
        ggml_tensor *hidden_, *cell_; // [hidden]
        size_t context_;
    };

    /// Continues the stream with any number of samples. Appends a probability for each window that has become complete.
    void push(Runner & runner, State & state, const float * samples, size_t count,
              std::vector<float> & probabilities) const;

    /// Ends the recording: an incomplete window is filled up with zeros.
    void finish(Runner & runner, State & state, std::vector<float> & probabilities) const;

  private:
    void run(Runner & runner, State & state, size_t windows, std::vector<float> & probabilities) const;
    ggml_tensor * features(Graph & g, ggml_tensor * frames, int64_t windows) const;

    VadConfig config_;
    const Device & device_; // of the weights and states
    Linear stft_;
    std::vector<Linear> conv_; // convolutions of three taps, computed as linear layers over three neighbouring frames
    Linear input_, recurrent_, output_;
};

} // namespace moss
