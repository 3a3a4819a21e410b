// Layer-split language model: shared Qwen3 blocks, then a text and an audio tail in parallel (training/networks/lm.py).
// An imported Qwen3 or Llama model has only shared blocks and the text channel.

#pragma once

#include "config.h"

#include "../graph/kv_cache.h"
#include "../graph/layers.h"

#include <memory>
#include <vector>

namespace moss {

/// Logits of the last position or, if requested, of all positions one after the other. Empty for a tail that was not
/// requested.
struct LmLogits {
    std::vector<float> text;  // [text_vocab_size] for each position
    std::vector<float> audio; // [audio_vocab_size] for each position
};

/// The tails whose logits a call computes. The keys and values of both tails are always written to the cache.
enum class Tails { none, text, audio, both };

class Lm {
  public:
    Lm(const GgufFile & file, const Weights & weights);

    const LmConfig & config() const { return config_; }
    ggml_tensor * text_embd() const { return text_embd_; } // [H, V]

    /// The KV cache of a conversation. Its memory grows with the conversation.
    class State {
      public:
        /// A cache for up to `n_ctx` positions, 1 … context_length. Its memory is part of `memory`, which by default is
        /// its own. Throws invalid_argument or out_of_memory.
        State(const Lm & lm, int n_ctx, KvType type = KvType::f32,
              std::shared_ptr<KvMemory> memory = std::make_shared<KvMemory>());

        int n_ctx() const { return n_ctx_; }
        int length() const { return length_; } // number of positions in the cache

        /// Removes all positions from index `length` on.
        void truncate(int length);

        /// Removes the positions from `begin` to before `end`, 0 <= begin <= end <= length. Those after them move up,
        /// and their keys are rotated to their new positions (RopeShift); in F16 and INT8 each removal also rounds
        /// them. Keys and values still depend on the removed positions that they were computed from. Throws
        /// out_of_memory without changing the state.
        void remove(int begin, int end);

        /// Appends positions up to `length` in total, whose keys and values are then to be written. Throws
        /// prompt_too_long or out_of_memory.
        void extend(int length);

        /// The bytes that keys and values of a position take in each block, in the order of the blocks.
        std::vector<size_t> position_bytes() const;

        /// The keys and values of a block at `count` positions from `begin` on, position by position and in these head
        /// by head (kv_load), in the cache's type and whatever their order in memory is.
        std::vector<uint8_t> read(size_t block, int begin, int count) const;

        /// Writes what read() has returned, to the positions from `begin` on.
        void write(size_t block, int begin, const std::vector<uint8_t> & bytes);

        KvType type() const { return cache_.place(0).type; }

        /// Bytes that the keys and values take.
        size_t bytes() const { return cache_.bytes(); }

      private:
        friend class Lm;
        /// Makes room for `count` more positions. Throws prompt_too_long unless `count` is at least 1 and they fit in
        /// n_ctx; and out_of_memory.
        void reserve(int count);

        /// The bytes that keys and values of a position take in a block.
        size_t position_bytes(size_t block) const;
        std::byte * page(int position) const { return cache_.pages()[position / kv_page_positions].get(); }

        const Lm * lm_;
        int n_ctx_;
        int length_ = 0;
        KvCache cache_;
    };

    /// Appends `count` positions of the two channels; `audio` is ignored by a model without the audio channel. Throws
    /// invalid_argument for an id outside its vocabulary and prompt_too_long if the context has no room. An exception,
    /// also of a cancelled computation, leaves the state unchanged.
    LmLogits push(Runner & runner, State & state, const int32_t * text, const int32_t * audio, int count, Tails tails,
                  bool all_positions = false) const;

    /// Appends `count` embeddings [count, embedding_length] in place of ids.
    LmLogits push(Runner & runner, State & state, const float * embeddings, int count, Tails tails,
                  bool all_positions = false) const;

    /// The next position of a conversation.
    struct Next {
        State * state;
        int32_t text, audio; // `audio` is ignored by a model without the audio channel
    };

    /// Checks the ids and makes room for the position. Throws what step() would throw for this conversation.
    void prepare(const Next & next) const;

    /// Appends one position to each of several conversations in one graph, so that the linear layers read their weights
    /// once for all conversations. Attention is computed for each conversation on its own. All states must be
    /// different. Returns the logits of each conversation, in order. Throws as push() does and then leaves all states
    /// unchanged.
    std::vector<LmLogits> step(Runner & runner, const std::vector<Next> & next, Tails tails) const;

  private:
    struct Block {
        std::string name; // prefix of its tensors' names, without the last dot
        int heads, heads_kv;
        RmsNorm attn_norm, attn_q_norm, attn_k_norm, ffn_norm; // only Qwen3 has attn_q_norm and attn_k_norm
        Linear attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up, ffn_down;
    };
    struct Pass;

    /// The most tensors of a graph. A block has about 25, and 20 more when heads are measured.
    size_t graph_tensors() const { return 256 + 80 * blocks_.size(); }
    void check_ids(int32_t text, int32_t audio) const;
    ggml_tensor * embeddings(Pass & pass, const int32_t * text, const int32_t * audio) const;
    void load_blocks(const Weights & weights, const std::string & prefix, int count);
    template <class Input>
    LmLogits push_pieces(Runner & runner, State & state, int count, Tails tails, bool all_positions, Input input) const;
    LmLogits run(Pass & pass, ggml_tensor * x) const;
    ggml_tensor * block(Pass & pass, size_t index, ggml_tensor * x, bool output) const;
    ggml_tensor * rope(Pass & pass, ggml_tensor * x) const;

    LmConfig config_;
    ggml_tensor * rope_factors_ = nullptr; // [D / 2], divisors of the RoPE frequencies (Llama 3.1); null if all are 1
    ggml_tensor * text_embd_ = nullptr;    // null if the output layer's weights are the embeddings
    ggml_tensor * audio_embd_ = nullptr;
    std::vector<Block> blocks_; // shared blocks, then text blocks, then audio blocks
    RmsNorm text_norm_, audio_norm_;
    Linear text_output_, audio_output_;
};

} // namespace moss
