// Turns samples into the embeddings that the language model reads in place of token embeddings: front end, tone module,
// encoder and aligner, one after the other.

#pragma once

#include "aligner.h"
#include "encoder.h"
#include "frontend.h"
#include "tone.h"

#include <functional>
#include <memory>

namespace moss {

/// What has been heard of a stream so far. Frames are 20 ms.
struct Heard {
    std::vector<float> embeddings; // [T, H], read by the language model in place of token embeddings
    EncoderFrames encoder;
    ToneFrames tone; // empty without a tone module
};

/// How a model that cannot stream encodes a long utterance: in overlapping windows, whose frames of context on both
/// sides are computed and discarded.
struct Windows {
    int frames = 1500; // of a window, context included: 30 s at 50 Hz. A shorter utterance is encoded as a whole
    int context = 150; // frames on each side; frames > 2 * context
};

/// The four networks as one. Immutable and safe to share between threads.
class Listener {
  public:
    /// Loads the tone module and the aligner if the file has them. `text_embd` may be null for a file without a
    /// language model.
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
        std::vector<float> features_;  // frames that do not fill a chunk yet
        std::vector<float> embedding_; // of the same frames, from the tone module
        size_t total_ = 0;             // samples so far
        size_t aligned_ = 0;           // encoder frames that the aligner has turned into embeddings
        std::unique_ptr<Frontend::State> frontend_;
        std::unique_ptr<Tone::State> tone_state_;
        std::unique_ptr<Encoder::State> encoder_;
    };

    /// Continues a stream with any number of 16 kHz samples. Appends what can be computed to `heard`, which must be the
    /// same object for the whole stream. The results do not depend on how many samples are pushed at a time.
    void push(Runner & runner, State & state, const float * samples, size_t count, Heard & heard) const;

    /// The encoder's states of the whole frames behind the last chunk that push() has encoded; none if there are none,
    /// or if the model cannot stream. The stream goes on as if this had not been called.
    std::vector<float> peek(Runner & runner, State & state) const;

    /// Ends the utterance: appends silence (tail_padding, then as much as fills an embedding) and computes the rest.
    void finish(Runner & runner, State & state, Heard & heard) const;

    /// Encodes a whole utterance in windows, for a model that is not causal. `receive` gets the frames of each window,
    /// without context, and the total number of frames. Throws audio_length for an utterance shorter than a frame.
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
