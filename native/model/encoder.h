// Wav2Vec2 transformer with a chunk-causal mask and a CTC head (training/networks/encoder.py; transformers
// Wav2Vec2Encoder, HubertEncoder, Data2VecAudioEncoder).

#pragma once

#include "config.h"

#include "../graph/layers.h"
#include "../graph/state.h"

namespace moss {

/// Encoder outputs, one row for each frame of 20 ms.
struct EncoderFrames {
    std::vector<float> hidden; // [T, E]
    std::vector<float> logits; // [T, units]: of the CTC head, before softmax; empty without a head
};

class Encoder {
  public:
    /// An encoder with `unit_count` 0 has no CTC head.
    Encoder(const GgufFile & file, const Weights & weights, int feature_size, int unit_count);

    const EncoderConfig & config() const { return config_; }

    /// The state of a stream: the left context of the positional convolution (`encoder.pos_conv.context`), and the keys
    /// and values of left_context frames (`encoder.blk.N.k`, `encoder.blk.N.v`).
    class State {
      public:
        /// `chunk_size` > 0 frames. Throws `unsupported` for a model that cannot stream because its positional
        /// convolution looks ahead.
        State(const Encoder & encoder, int chunk_size);
        int chunk_size() const { return chunk_size_; }
        void clear();
        size_t bytes() const { return slots_.bytes(); }

      private:
        friend class Encoder;
        int slot() const;   // the slot of the ring buffer where the next chunk begins
        int filled() const; // the slots of the ring buffer that are in use after the next chunk
        std::vector<float> mask(int frames,
                                int left_context) const; // [filled, frames]; empty if all frames are visible

        int chunk_size_;
        int capacity_; // frames of keys and values in the ring buffer: a multiple of the chunk size
        int64_t frames_ = 0;
        StreamState slots_;
        ggml_tensor * pos_context_ = nullptr;
        std::vector<ggml_tensor *> k_, v_; // [D * H, capacity] and, transposed, [capacity, D * H]
    };

    /// Encodes one chunk: features [C, T] and the tone module's embedding [E, T] (or null), with T = chunk_size. Only
    /// the last chunk of a stream may be shorter. Appends T frames.
    void push(Runner & runner, State & state, const float * features, const float * tone_embedding, int frames,
              EncoderFrames & out) const;

    /// The same for 1 .. T frames whose chunk is not complete yet. The stream goes on as if this had not been called.
    void peek(Runner & runner, State & state, const float * features, const float * tone_embedding, int frames,
              EncoderFrames & out) const;

    static constexpr int max_frames = 6000; // for `whole`, whose memory grows with the utterance: two minutes

    /// Encodes a whole utterance of up to max_frames frames, with full attention. Throws audio_length.
    void whole(Runner & runner, const float * features, const float * tone_embedding, int frames,
               EncoderFrames & out) const;

  private:
    struct Block {
        LayerNorm attn_norm, ffn_norm;
        Linear attn_q, attn_k, attn_v, attn_out, ffn_up, ffn_down;
    };

    void compute(Runner & runner, State * state, const float * features, const float * tone_embedding, int frames,
                 EncoderFrames & out) const;
    ggml_tensor * project(Graph & g, ggml_tensor * x) const;
    ggml_tensor * add_position(Graph & g, ggml_tensor * x, State * state) const;
    ggml_tensor * attend(Graph & g, const Block & block, ggml_tensor * x, State * state, size_t index,
                         ggml_tensor * mask) const;

    EncoderConfig config_;
    const Device & device_; // of the weights and states
    int feature_size_;
    int unit_count_;
    LayerNorm proj_norm_, norm_;
    Linear proj_, ctc_;
    std::vector<Conv1d> pos_conv_; // one, or the stack of data2vec
    std::vector<Block> blocks_;
};

} // namespace moss
