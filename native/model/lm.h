// Layer-split language model: shared Qwen3 blocks, then a text and an audio tail in parallel (training/networks/lm.py).
// An imported Qwen3 or Llama model is one with shared blocks and the text channel alone.

#pragma once

#include "config.h"

#include "../graph/layers.h"
#include "../graph/state.h"

namespace moss {

/// Logits of the last position (or of all, one after the other, where asked for); empty for a tail that was not asked
/// for.
struct LmLogits {
    std::vector<float> text;  // [text_vocab_size]
    std::vector<float> audio; // [audio_vocab_size]
};

/// Which logits a call computes. Keys and values of both tails are always written.
enum class Tails { none, text, audio, both };

class Lm {
  public:
    Lm(const GgufFile & file, const Weights & weights);

    const LmConfig & config() const { return config_; }
    ggml_tensor * text_embd() const { return text_embd_; } // [H, V]

    /// The KV cache of a conversation. Slots `lm.blk.N.k`, `lm.text.blk.N.k`, `lm.audio.blk.N.k` and the same with
    /// `.v`. Its memory grows with the conversation.
    class State {
      public:
        /// Up to `n_ctx` positions, 1 … context_length; `type` F32 or F16.
        State(const Lm & lm, int n_ctx, ggml_type type = GGML_TYPE_F32);

        int n_ctx() const { return n_ctx_; }
        int length() const { return length_; } // positions so far

        /// Forgets all positions from `length` on.
        void truncate(int length);

        /// Memory of keys and values.
        size_t bytes() const;

      private:
        friend class Lm;
        /// Refuses positions that there is no room for, and 0 of them.
        void require(int count) const;
        /// Memory for so many positions.
        void reserve(int positions);

        const Lm * lm_;
        ggml_type type_;
        int n_ctx_;
        int length_ = 0;
        int capacity_ = 0;                 // positions that there is memory for
        std::vector<StreamState> slots_;   // as blocks_
        std::vector<ggml_tensor *> k_, v_; // the same: [D * Hkv, capacity] and, transposed, [capacity, D * Hkv]
    };

    /// Appends `count` positions of the two channels; `audio` is not read in a model without that channel. Throws
    /// invalid_argument for an id outside its vocabulary and prompt_too_long when the context has no room; the state is
    /// unchanged then, and when a computation is cancelled.
    LmLogits push(Runner & runner, State & state, const int32_t * text, const int32_t * audio, int count, Tails tails,
                  bool all_positions = false) const;

    /// Appends `count` embeddings of embedding_length values, in place of ids.
    LmLogits push(Runner & runner, State & state, const float * embeddings, int count, Tails tails,
                  bool all_positions = false) const;

    /// The next position of a conversation.
    struct Next {
        State * state;
        int32_t text, audio; // `audio` is not read in a model without that channel
    };

    /// Appends one position to each of several conversations, whose states are different ones, in one graph: the linear
    /// layers read their weights once for all of them; keys, values and attention are each conversation's own. Logits
    /// of each, in order. Throws as push() does; all states are unchanged then.
    std::vector<LmLogits> step(Runner & runner, const std::vector<Next> & next, Tails tails) const;

  private:
    struct Block {
        std::string name; // of its tensors, up to the last dot
        int heads, heads_kv;
        RmsNorm attn_norm, attn_q_norm, attn_k_norm, ffn_norm; // the norms of q and k: Qwen3's
        Linear attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up, ffn_down;
    };
    struct Pass;

    /// Tensors of a graph: a block has some 25, 20 more for each conversation, and 20 more where heads are measured.
    size_t graph_tensors(size_t conversations) const { return 256 + (80 + 20 * conversations) * blocks_.size(); }
    void check_ids(int32_t text, int32_t audio) const;
    ggml_tensor * embeddings(Pass & pass, const int32_t * text, const int32_t * audio) const;
    void load_blocks(const Weights & weights, const std::string & prefix, int count);
    template <class Input>
    LmLogits push_pieces(Runner & runner, State & state, int count, Tails tails, bool all_positions, Input input) const;
    LmLogits run(Pass & pass, ggml_tensor * x) const;
    ggml_tensor * block(Pass & pass, size_t index, ggml_tensor * x, bool output) const;
    ggml_tensor * attend(Pass & pass, size_t index, ggml_tensor * q, ggml_tensor * k, ggml_tensor * v) const;
    ggml_tensor * rope(Pass & pass, ggml_tensor * x) const;

    LmConfig config_;
    const Device & device_;                // of its weights and states
    ggml_tensor * rope_factors_ = nullptr; // [D / 2], divisors of the frequencies (Llama 3.1); null: all 1
    ggml_tensor * text_embd_ = nullptr;
    ggml_tensor * audio_embd_ = nullptr;
    std::vector<Block> blocks_; // shared, text, audio
    RmsNorm text_norm_, audio_norm_;
    Linear text_output_, audio_output_;
};

} // namespace moss
