// Cross-modal aligner: encoder frames attend to the language model's text embeddings (training/networks/aligner.py).

#pragma once

#include "config.h"

#include "../graph/layers.h"
#include "../graph/state.h"

namespace moss {

class Aligner {
  public:
    /// `text_embd` [text_size, V] holds the token embeddings of the language model. The constructor computes their keys
    /// and values on `runner`.
    Aligner(const GgufFile & file, const Weights & weights, int encoder_size, ggml_tensor * text_embd, Runner & runner);

    const AlignerConfig & config() const { return config_; }

    /// hidden [E, T], T a positive multiple of downsample -> appends T / downsample embeddings of text_size values. An
    /// embedding depends only on its own frames, so a stream needs no state.
    void push(Runner & runner, const float * hidden, int frames, std::vector<float> & embeddings) const;

  private:
    void push_piece(Runner & runner, const float * hidden, int64_t count, std::vector<float> & embeddings) const;

    struct Block {
        LayerNorm attn_norm, ffn_norm;
        Linear attn_q, attn_k, attn_v, attn_out, ffn_up, ffn_down;
        ggml_tensor * k = nullptr; // [E, V]
        ggml_tensor * v = nullptr; // [V, E]
    };

    AlignerConfig config_;
    int encoder_size_;
    Conv1d down_;
    std::vector<Block> blocks_;
    LayerNorm out_norm_;
    Linear out_;
    StreamState table_; // keys and values of the text embeddings: written once, then only read
};

} // namespace moss
