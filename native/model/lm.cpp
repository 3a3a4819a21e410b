#include "lm.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace moss {

namespace {

constexpr int n_ubatch = 512;      // positions of one graph: a long prompt is computed in pieces, in bounded memory
constexpr int first_capacity = 64; // positions that a new KV cache has memory for

} // namespace

/// One graph: `count` positions after the `past` positions of the cache.
struct Lm::Pass {
    Graph g;
    State & state;
    int past;
    int count;
    Tails tails;
    bool all_positions;
    std::vector<int32_t> positions;
    std::vector<float> mask_values;
    ggml_tensor * position = nullptr; // [T]
    ggml_tensor * mask = nullptr;     // [past + T, T]; null for one position, which sees all

    Pass(Runner & runner, State & cache, int cached, int fresh, Tails wanted, bool all)
        : g(runner, cache.lm_->graph_tensors()), state(cache), past(cached), count(fresh), tails(wanted),
          all_positions(all) {
        for (int i = 0; i < count; i++) {
            positions.push_back(past + i);
        }
        position = g.input(GGML_TYPE_I32, {count}, positions.data());
        if (count > 1) {
            const int total = past + count;
            mask_values.resize(static_cast<size_t>(total) * static_cast<size_t>(count), 0.0f);
            for (int i = 0; i < count; i++) {
                float * row = mask_values.data() + static_cast<size_t>(i) * static_cast<size_t>(total);
                std::fill(row + past + i + 1, row + total, -INFINITY);
            }
            mask = g.input(GGML_TYPE_F32, {total, count}, mask_values.data());
        }
    }
};

Lm::Lm(const GgufFile & file, const Weights & weights) : config_(LmConfig::load(file)), device_(weights.device()) {
    const int64_t size = config_.embedding_length;
    const float eps = config_.rms_epsilon;
    if (config_.text_only()) {
        text_embd_ = weights.get("token_embd.weight", {size, config_.text_vocab_size});
        load_blocks(weights, "", config_.shared_block_count);
        text_norm_ = RmsNorm(weights, "output_norm", size, eps);
        if (weights.has("output.weight")) {
            text_output_ = Linear(weights, "output", size, config_.text_vocab_size, false);
        } else {
            text_output_.weight = text_embd_; // tied
        }
        if (config_.rope.interleaved && weights.has("rope_freqs.weight")) { // Llama's
            rope_factors_ = weights.get_f32("rope_freqs.weight", {config_.key_length / 2});
        }
        return;
    }
    text_embd_ = weights.get("text.token_embd.weight", {size, config_.text_vocab_size});
    audio_embd_ = weights.get("audio.token_embd.weight", {size, config_.audio_vocab_size});
    load_blocks(weights, "", config_.shared_block_count);
    load_blocks(weights, "text.", config_.text_block_count);
    load_blocks(weights, "audio.", config_.audio_block_count);
    text_norm_ = RmsNorm(weights, "text.output_norm", size, eps);
    audio_norm_ = RmsNorm(weights, "audio.output_norm", size, eps);
    text_output_ = Linear(weights, "text.output", size, config_.text_vocab_size, false);
    audio_output_ = Linear(weights, "audio.output", size, config_.audio_vocab_size, false);
}

void Lm::load_blocks(const Weights & weights, const std::string & prefix, int count) {
    const int64_t size = config_.embedding_length, dim = config_.key_length, ffn = config_.feed_forward_length;
    const float eps = config_.rms_epsilon;
    for (int i = 0; i < count; i++) {
        const std::string name = prefix + "blk." + std::to_string(i) + ".";
        const int heads = config_.head_counts[blocks_.size()], heads_kv = config_.head_counts_kv[blocks_.size()];
        const int64_t q_size = heads * dim, kv_size = heads_kv * dim;
        const auto linear = [&](const char * part, int64_t in, int64_t out) {
            return Linear(weights, name + part, in, out, weights.has(name + part + ".bias"));
        };
        Block block;
        block.name = name.substr(0, name.size() - 1);
        block.heads = heads;
        block.heads_kv = heads_kv;
        block.attn_norm = RmsNorm(weights, name + "attn_norm", size, eps);
        block.attn_q = linear("attn_q", size, q_size);
        block.attn_k = linear("attn_k", size, kv_size);
        block.attn_v = linear("attn_v", size, kv_size);
        block.attn_output = linear("attn_output", q_size, size);
        if (config_.qk_norm) {
            block.attn_q_norm = RmsNorm(weights, name + "attn_q_norm", dim, eps);
            block.attn_k_norm = RmsNorm(weights, name + "attn_k_norm", dim, eps);
        }
        block.ffn_norm = RmsNorm(weights, name + "ffn_norm", size, eps);
        block.ffn_gate = linear("ffn_gate", size, ffn);
        block.ffn_up = linear("ffn_up", size, ffn);
        block.ffn_down = linear("ffn_down", ffn, size);
        blocks_.push_back(block);
    }
}

namespace {

/// Copies within the memory of a device, or between devices.
void copy_bytes(const ggml_tensor * from, size_t from_offset, ggml_tensor * to, size_t to_offset, size_t count) {
    std::vector<uint8_t> bytes(count);
    ggml_backend_tensor_get(from, bytes.data(), from_offset, count);
    ggml_backend_tensor_set(to, bytes.data(), to_offset, count);
}

} // namespace

Lm::State::State(const Lm & lm, int n_ctx, ggml_type type) : lm_(&lm), type_(type), n_ctx_(n_ctx) {
    if (n_ctx < 1 || n_ctx > lm.config_.context_length) {
        throw MossError(code::invalid_argument, "a context of " + std::to_string(n_ctx) + " positions",
                        {{"argument", "n_ctx"},
                         {"expected", "1 … " + std::to_string(lm.config_.context_length)},
                         {"found", static_cast<double>(n_ctx)}});
    }
    reserve(std::min(first_capacity, n_ctx));
}

void Lm::State::reserve(int positions) {
    if (positions <= capacity_) {
        return;
    }
    const int capacity = std::min(std::max(positions, 2 * capacity_), n_ctx_);
    const size_t past = static_cast<size_t>(length_) * ggml_type_size(type_);
    while (slots_.size() < lm_->blocks_.size()) {
        slots_.emplace_back(lm_->device_, 2);
    }
    k_.resize(slots_.size());
    v_.resize(slots_.size());
    for (size_t i = 0; i < slots_.size(); i++) { // one after the other: never are all there twice
        const Block & block = lm_->blocks_[i];
        const int64_t size = int64_t(block.heads_kv) * lm_->config_.key_length;
        StreamState slots(lm_->device_, 2);
        ggml_tensor * k = slots.add("lm." + block.name + ".k", type_, {size, capacity});
        ggml_tensor * v = slots.add("lm." + block.name + ".v", type_, {capacity, size});
        slots.allocate();
        if (past > 0) {
            copy_bytes(k_[i], 0, k, 0, past * static_cast<size_t>(size));
            for (size_t row = 0; row < static_cast<size_t>(size); row++) {
                copy_bytes(v_[i], row * v_[i]->nb[1], v, row * v->nb[1], past);
            }
        }
        slots_[i] = std::move(slots);
        k_[i] = k;
        v_[i] = v;
    }
    capacity_ = capacity;
}

void Lm::State::truncate(int length) {
    length_ = std::clamp(length, 0, length_); // positions beyond are overwritten before anything reads them
}

size_t Lm::State::bytes() const {
    return std::accumulate(slots_.begin(), slots_.end(), size_t(0),
                           [](size_t sum, const StreamState & slots) { return sum + slots.bytes(); });
}

ggml_tensor * Lm::rope(Pass & pass, ggml_tensor * x) const { // [D, H, T]
    const RopeConfig & r = config_.rope;
    return ggml_rope_ext(pass.g, x, pass.position, rope_factors_, config_.key_length,
                         r.interleaved ? GGML_ROPE_TYPE_NORMAL : GGML_ROPE_TYPE_NEOX, r.original_context_length,
                         r.freq_base, r.freq_scale, r.ext_factor, r.attn_factor, r.beta_fast, r.beta_slow);
}

/// Writes the keys and values of all positions; with `output` also computes the block. x [H, T] -> [H, T]
ggml_tensor * Lm::block(Pass & pass, size_t index, ggml_tensor * x, bool output) const {
    Graph & g = pass.g;
    const Block & b = blocks_[index];
    const int64_t dim = config_.key_length, heads = b.heads, heads_kv = b.heads_kv;
    const int64_t count = pass.count, total = pass.past + count;
    const auto normed = [&](const RmsNorm & norm, ggml_tensor * t) { return config_.qk_norm ? norm(g, t) : t; };
    ggml_tensor * y = b.attn_norm(g, x);
    ggml_tensor * k = ggml_reshape_3d(g, b.attn_k(g, y), dim, heads_kv, count); // [D, Hkv, T]
    k = rope(pass, normed(b.attn_k_norm, k));
    ggml_tensor * v = b.attn_v(g, y); // [D Hkv, T]

    ggml_tensor *cache_k = pass.state.k_[index], *cache_v = pass.state.v_[index];
    const size_t past = static_cast<size_t>(pass.past);
    g.effect(ggml_cpy(g, k, ggml_view_2d(g, cache_k, dim * heads_kv, count, cache_k->nb[1], past * cache_k->nb[1])));
    g.effect(ggml_cpy(g, ggml_transpose(g, v),
                      ggml_view_2d(g, cache_v, count, dim * heads_kv, cache_v->nb[1], past * cache_v->nb[0])));
    if (!output) {
        return x;
    }
    const size_t head = static_cast<size_t>(dim);
    k = ggml_view_3d(g, cache_k, dim, heads_kv, total, head * cache_k->nb[0], cache_k->nb[1], 0);
    v = ggml_view_3d(g, cache_v, total, dim, heads_kv, cache_v->nb[1], head * cache_v->nb[1], 0);
    ggml_tensor * q = ggml_reshape_3d(g, b.attn_q(g, y), dim, heads, count); // [D, H, T]
    q = rope(pass, normed(b.attn_q_norm, q));
    x = add_heads(g, b.attn_output, attention(g, q, k, v, pass.mask), x, heads_kv, b.name);
    y = b.ffn_norm(g, x);
    y = ggml_swiglu_split(g, b.ffn_gate(g, y), b.ffn_up(g, y)); // [F, T]
    return ggml_add(g, x, b.ffn_down(g, y));
}

LmLogits Lm::run(Pass & pass, ggml_tensor * x) const {
    Graph & g = pass.g;
    const size_t shared = static_cast<size_t>(config_.shared_block_count);
    for (size_t i = 0; i < shared; i++) {
        x = g.stage(block(pass, i, x, true), "lm.blk." + std::to_string(i));
    }
    LmLogits logits;
    const auto tail = [&](size_t first, int count, bool wanted, const RmsNorm & norm, const Linear & head,
                          const char * name, std::vector<float> & out) {
        ggml_tensor * y = x;
        for (size_t i = first; i < first + static_cast<size_t>(count); i++) {
            y = block(pass, i, y, wanted || i + 1 < first + static_cast<size_t>(count));
        }
        if (wanted) {
            if (!pass.all_positions) {
                y = ggml_view_2d(g, y, y->ne[0], 1, y->nb[1], static_cast<size_t>(pass.count - 1) * y->nb[1]);
            }
            g.output(g.stage(head(g, norm(g, y)), name), out);
        }
    };
    const Tails tails = pass.tails;
    tail(shared, config_.text_block_count, tails == Tails::text || tails == Tails::both, text_norm_, text_output_,
         "lm.text_logits", logits.text);
    tail(shared + static_cast<size_t>(config_.text_block_count), config_.audio_block_count,
         tails == Tails::audio || tails == Tails::both, audio_norm_, audio_output_, "lm.audio_logits", logits.audio);
    g.run();
    return logits;
}

/// Runs `count` positions in pieces; `input(pass, begin)` gives a piece's input [H, T].
template <class Input>
LmLogits Lm::push_pieces(Runner & runner, State & state, int count, Tails tails, bool all_positions,
                         Input input) const {
    if (count < 1 || count > state.n_ctx_ - state.length_) {
        throw MossError(
            code::prompt_too_long,
            std::to_string(count) + " positions for a context of " + std::to_string(state.n_ctx_) + " that holds " +
                std::to_string(state.length_),
            {{"positions", double(count)}, {"n_ctx", double(state.n_ctx_)}, {"length", double(state.length_)}});
    }
    state.reserve(state.length_ + count);
    LmLogits logits;
    for (int begin = 0; begin < count; begin += n_ubatch) {
        const int part = std::min(n_ubatch, count - begin);
        const bool last = begin + part == count;
        Pass pass(runner, state, state.length_ + begin, part, last || all_positions ? tails : Tails::none,
                  all_positions);
        LmLogits some = run(pass, input(pass, begin));
        logits.text.insert(logits.text.end(), some.text.begin(), some.text.end());
        logits.audio.insert(logits.audio.end(), some.audio.begin(), some.audio.end());
    }
    state.length_ += count;
    return logits;
}

LmLogits Lm::push(Runner & runner, State & state, const int32_t * text, const int32_t * audio, int count, Tails tails,
                  bool all_positions) const {
    const auto check = [](const char * argument, int32_t id, int size) {
        if (id < 0 || id >= size) {
            throw MossError(
                code::invalid_argument, std::string(argument) + " id " + std::to_string(id),
                {{"argument", argument}, {"expected", "0 … " + std::to_string(size - 1)}, {"found", double(id)}});
        }
    };
    for (int i = 0; i < count; i++) {
        check("text", text[i], config_.text_vocab_size);
        if (!config_.text_only()) {
            check("audio", audio[i], config_.audio_vocab_size);
        }
    }
    return push_pieces(runner, state, count, tails, all_positions, [&](Pass & pass, int begin) {
        Graph & g = pass.g;
        ggml_tensor * text_embeddings =
            ggml_get_rows(g, text_embd_, g.input(GGML_TYPE_I32, {pass.count}, text + begin));
        if (config_.text_only()) {
            return text_embeddings; // [H, T]
        }
        ggml_tensor * audio_embeddings =
            ggml_get_rows(g, audio_embd_, g.input(GGML_TYPE_I32, {pass.count}, audio + begin));
        return ggml_add(g, text_embeddings, audio_embeddings); // [H, T]
    });
}

LmLogits Lm::push(Runner & runner, State & state, const float * embeddings, int count, Tails tails,
                  bool all_positions) const {
    return push_pieces(runner, state, count, tails, all_positions, [&](Pass & pass, int begin) {
        const int64_t size = config_.embedding_length;
        return pass.g.input(GGML_TYPE_F32, {size, pass.count}, embeddings + begin * size);
    });
}

} // namespace moss
