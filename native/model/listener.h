// From samples to what the language model reads in place of token embeddings: front end, tone module, encoder and
// aligner in a row.

#pragma once

#include "aligner.h"
#include "encoder.h"
#include "frontend.h"
#include "tone.h"

#include <functional>
#include <memory>

namespace moss {

/// What was heard so far. Frames are 20 ms.
struct Heard {
    std::vector<float> embeddings; // [T, H], which the language model reads in place of token embeddings
    EncoderFrames encoder;
    ToneFrames tone; // empty without a tone module
};

/// How a long utterance of a model that does not stream is heard: piece by piece, each between frames of context that
/// are computed as well and thrown away.
struct Windows {
    int frames = 1500; // of a window, context included: 30 s at 50 Hz. What fits one is heard whole
    int context = 150; // on each side; frames > 2 * context
};

/// The four networks as one. Immutable and safe to share between threads.
class Listener {
  public:
    /// Reads whichever of `tone` and `aligner` the file has. `text_embd` may be null in a file without language model.
    Listener(const GgufFile & file, const Weights & weights, int unit_count, ggml_tensor * text_embd, Runner & runner);

    const Frontend & frontend() const { return frontend_; }
    const Encoder & encoder() const { return encoder_; }
    const Tone * tone() const { return tone_.get(); }
    const Aligner * aligner() const { return aligner_.get(); }

    /// Whether chunks can be encoded before the utterance ends.
    bool streamable() const;

    /// A stream of one utterance.
    class State {
      public:
        /// `chunk_size` in encoder frames; 0: the whole utterance at once, when it is finished. A model that cannot
        /// stream has 0 only: throws unsupported.
        State(const Listener & listener, int chunk_size);

        /// Back to the start of an utterance.
        void clear();

        /// Memory of what it remembers.
        size_t bytes() const;

      private:
        friend class Listener;
        int chunk_size_;
        std::vector<float> samples_;   // not yet a whole hop; all samples where the model is whole-only
        std::vector<float> features_;  // frames that wait for their chunk
        std::vector<float> embedding_; // the tone module's, of the same frames
        size_t total_ = 0;             // samples so far
        size_t aligned_ = 0;           // encoder frames that are embeddings
        std::unique_ptr<Frontend::State> frontend_;
        std::unique_ptr<Tone::State> tone_state_;
        std::unique_ptr<Encoder::State> encoder_;
    };

    /// 16 kHz samples of any count; what can be computed is appended to `heard`, which belongs to the same stream from
    /// its start. Any sizes in which samples are pushed give the same.
    void push(Runner & runner, State & state, const float * samples, size_t count, Heard & heard) const;

    /// The utterance is over: silence is appended (tail_padding, then up to a whole embedding) and everything is
    /// computed.
    void finish(Runner & runner, State & state, Heard & heard) const;

    /// Models that are not causal: a whole utterance in windows. `receive` gets frames as they come, without context,
    /// and how many there will be. Throws audio_length for less than a frame.
    void hear(Runner & runner, const float * samples, size_t count, const Windows & windows,
              const std::function<void(EncoderFrames && frames, int64_t total)> & receive) const;

  private:
    void advance(Runner & runner, State & state, Heard & heard, bool last) const;
    void encode(Runner & runner, State & state, Heard & heard, bool last) const;
    void align(Runner & runner, State & state, Heard & heard) const;

    Frontend frontend_;
    std::unique_ptr<Tone> tone_;
    Encoder encoder_;
    std::unique_ptr<Aligner> aligner_;
};

} // namespace moss
