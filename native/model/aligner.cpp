#include "aligner.h"

#include <algorithm>

namespace moss {

namespace {

constexpr int64_t embeddings_a_graph = 1024; // to bound the memory: embeddings do not depend on each other

/// The tensors of a graph: a block has about 35.
size_t graph_tensors(int blocks) {
    return 128 + 80 * static_cast<size_t>(blocks);
}

} // namespace

Aligner::Aligner(const GgufFile & file, const Weights & weights, int encoder_size, ggml_tensor * text_embd,
                 Runner & runner)
    : config_(AlignerConfig::load(file)), encoder_size_(encoder_size), table_(weights.device()) {
    const int64_t size = config_.embedding_length, text_size = text_embd->ne[0], vocabulary = text_embd->ne[1];
    Weights::check_state("moss-speech.aligner.block_count",
                         double(config_.block_count) * double(size) * double(vocabulary) * 2 * sizeof(float),
                         weights.bytes("aligner.") + ggml_nbytes(text_embd));
    down_ = Conv1d(weights, "aligner.down", Conv1dShape{encoder_size, size, config_.downsample, config_.downsample});
    for (int i = 0; i < config_.block_count; i++) {
        const std::string name = "aligner.blk." + std::to_string(i) + ".";
        Block block;
        block.attn_norm = LayerNorm(weights, name + "attn_norm", size, 1e-5f);
        block.attn_q = Linear(weights, name + "attn_q", size, size);
        block.attn_k = Linear(weights, name + "attn_k", text_size, size);
        block.attn_v = Linear(weights, name + "attn_v", text_size, size);
        block.attn_out = Linear(weights, name + "attn_out", size, size);
        block.ffn_norm = LayerNorm(weights, name + "ffn_norm", size, 1e-5f);
        block.ffn_up = Linear(weights, name + "ffn_up", size, config_.feed_forward_length);
        block.ffn_down = Linear(weights, name + "ffn_down", config_.feed_forward_length, size);
        block.k = table_.add(name + "k", GGML_TYPE_F32, {size, vocabulary});
        block.v = table_.add(name + "v", GGML_TYPE_F32, {vocabulary, size});
        blocks_.push_back(block);
    }
    out_norm_ = LayerNorm(weights, "aligner.out_norm", size, 1e-5f);
    out_ = Linear(weights, "aligner.out", size, text_size);
    table_.allocate();

    Graph g(runner, graph_tensors(config_.block_count));
    ggml_tensor * table = ggml_cast(g, text_embd, GGML_TYPE_F32); // [H, V]
    for (const Block & block : blocks_) {
        g.effect(ggml_cpy(g, block.attn_k(g, table), block.k));
        g.effect(ggml_cpy(g, ggml_transpose(g, block.attn_v(g, table)), block.v));
    }
    g.run();
}

void Aligner::push(Runner & runner, const float * hidden, int frames, std::vector<float> & embeddings) const {
    for (int64_t left = frames / config_.downsample; left > 0; left -= embeddings_a_graph) {
        const int64_t count = std::min(left, embeddings_a_graph);
        push_piece(runner, hidden, count, embeddings);
        hidden += count * config_.downsample * encoder_size_;
    }
}

void Aligner::push_piece(Runner & runner, const float * hidden, int64_t count, std::vector<float> & embeddings) const {
    const int64_t size = config_.embedding_length, heads = config_.head_count, dim = size / heads;
    std::vector<float> values;
    Graph g(runner, graph_tensors(config_.block_count));
    ggml_tensor * x = g.input(GGML_TYPE_F32, {encoder_size_, count * config_.downsample}, hidden);
    x = g.stage(down_(g, x), "aligner.down"); // [E, R]
    for (size_t i = 0; i < blocks_.size(); i++) {
        const Block & block = blocks_[i];
        const int64_t vocabulary = block.k->ne[1];
        ggml_tensor * q = ggml_reshape_3d(g, block.attn_q(g, block.attn_norm(g, x)), dim, heads, count); // [D, H, R]
        ggml_tensor * k = ggml_reshape_3d(g, block.k, dim, heads, vocabulary);
        ggml_tensor * v = ggml_reshape_3d(g, block.v, vocabulary, dim, heads);
        x = ggml_add(g, x, block.attn_out(g, attention(g, q, k, v, nullptr)));
        x = ggml_add(g, x, block.ffn_down(g, block.ffn_up(g, block.ffn_norm(g, x), Activation::gelu)));
        g.stage(x, "aligner.blk." + std::to_string(i));
    }
    g.output(g.stage(out_(g, out_norm_(g, x)), "aligner.embd"), values); // [H, T]
    g.run();
    embeddings.insert(embeddings.end(), values.begin(), values.end());
}

} // namespace moss
