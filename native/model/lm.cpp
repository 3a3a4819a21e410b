#include "lm.h"

#include "../graph/conv.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace moss {

namespace {

constexpr int n_ubatch = 512; // most positions of one graph; limits the memory that a long prompt takes

} // namespace

/// One graph, which appends positions to the KV caches of one conversation or several. All caches have the same type.
struct Lm::Pass {
    Graph g;
    int count = 0; // positions of all conversations together, T
    Tails tails;
    bool all_positions;                // whether logits are computed for all positions or only for the last one
    const KvCache & cache;             // of the first conversation: all have their blocks at the same places
    std::vector<KvSequence> sequences; // the graph reads them
    std::vector<int32_t> positions;
    ggml_tensor * position = nullptr; // [T]

    Pass(const Lm & lm, Runner & runner, const std::vector<std::pair<State *, int>> & shares, Tails wanted, bool all)
        : g(runner, lm.graph_tensors()), tails(wanted), all_positions(all), cache(shares.front().first->cache_) {
        for (const auto & [state, fresh] : shares) {
            sequences.push_back({state->cache_.pages(), state->length_, count, fresh});
            for (int i = 0; i < fresh; i++) {
                positions.push_back(state->length_ + i);
            }
            count += fresh;
        }
        position = g.input(GGML_TYPE_I32, {count}, positions.data());
    }
};

Lm::Lm(const GgufFile & file, const Weights & weights) : config_(LmConfig::load(file)) {
    const int64_t size = config_.embedding_length;
    const float eps = config_.rms_epsilon;
    if (config_.text_only()) {
        const bool tied = !weights.has("output.weight");
        if (tied) {
            text_output_.packed = load_linear_with_rows(weights, "token_embd", size, config_.text_vocab_size);
        } else {
            text_output_ = Linear(weights, "output", size, config_.text_vocab_size, false);
        }
        if (!tied || !text_output_.packed) {
            text_embd_ = weights.get("token_embd.weight", {size, config_.text_vocab_size});
            text_output_.weight = tied ? text_embd_ : text_output_.weight;
        }
        load_blocks(weights, "", config_.shared_block_count);
        text_norm_ = RmsNorm(weights, "output_norm", size, eps);
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

Lm::State::State(const Lm & lm, int n_ctx, KvType type, std::shared_ptr<KvMemory> memory)
    : lm_(&lm), n_ctx_(n_ctx), cache_(std::move(memory), type, lm.config_.head_counts_kv, lm.config_.key_length) {
    if (n_ctx < 1 || n_ctx > lm.config_.context_length) {
        throw MossError(code::invalid_argument, "a context of " + std::to_string(n_ctx) + " positions",
                        {{"argument", "n_ctx"},
                         {"expected", "1 … " + std::to_string(lm.config_.context_length)},
                         {"found", static_cast<double>(n_ctx)}});
    }
}

void Lm::State::truncate(int length) {
    length_ = std::clamp(length, 0, length_);
    cache_.shrink(length_);
}

ggml_tensor * Lm::rope(Pass & pass, ggml_tensor * x) const { // [D, H, T]
    const RopeConfig & r = config_.rope;
    return ggml_rope_ext(pass.g, x, pass.position, rope_factors_, config_.key_length,
                         r.interleaved ? GGML_ROPE_TYPE_NORMAL : GGML_ROPE_TYPE_NEOX, r.original_context_length,
                         r.freq_base, r.freq_scale, r.ext_factor, r.attn_factor, r.beta_fast, r.beta_slow);
}

/// Appends the keys and values of a block to the caches; with `output` also computes the block, x [H, T] -> [H, T].
ggml_tensor * Lm::block(Pass & pass, size_t index, ggml_tensor * x, bool output) const {
    Graph & g = pass.g;
    const Block & b = blocks_[index];
    const int64_t dim = config_.key_length, count = pass.count;
    const auto normed = [&](const RmsNorm & norm, ggml_tensor * t) { return config_.qk_norm ? norm(g, t) : t; };
    ggml_tensor * y = b.attn_norm(g, x);
    ggml_tensor * k = ggml_reshape_3d(g, b.attn_k(g, y), dim, b.heads_kv, count); // [D, Hkv, T]
    k = rope(pass, normed(b.attn_k_norm, k));
    ggml_tensor * v = b.attn_v(g, y); // [D Hkv, T]
    const KvPlace & place = pass.cache.place(index);
    ggml_tensor * appended = kv_append(g, k, v, place, pass.sequences);
    g.effect(appended); // also of the last block, whose output nobody may want
    if (!output) {
        return x;
    }
    ggml_tensor * q = ggml_reshape_3d(g, b.attn_q(g, y), dim, b.heads, count); // [D, H, T]
    q = rope(pass, normed(b.attn_q_norm, q));
    y = kv_attention(g, q, appended, place, pass.sequences); // [D H, T]
    x = add_heads(g, b.attn_output, y, x, b.heads_kv, b.name);
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

void Lm::State::reserve(int count) {
    if (count < 1 || count > n_ctx_ - length_) {
        throw MossError(code::prompt_too_long,
                        std::to_string(count) + " positions for a context of " + std::to_string(n_ctx_) +
                            " that holds " + std::to_string(length_),
                        {{"positions", double(count)}, {"n_ctx", double(n_ctx_)}, {"length", double(length_)}});
    }
    cache_.reserve(length_ + count);
}

/// Appends `count` positions in pieces; `input(pass, begin)` returns the input [H, T] of the piece that starts at
/// `begin`.
template <class Input>
LmLogits Lm::push_pieces(Runner & runner, State & state, int count, Tails tails, bool all_positions,
                         Input input) const {
    state.reserve(count);
    const int before = state.length_;
    LmLogits logits;
    try {
        for (int begin = 0; begin < count; begin += n_ubatch) {
            const int part = std::min(n_ubatch, count - begin);
            const bool last = begin + part == count;
            Pass pass(*this, runner, {{&state, part}}, last || all_positions ? tails : Tails::none, all_positions);
            LmLogits some = run(pass, input(pass, begin));
            logits.text.insert(logits.text.end(), some.text.begin(), some.text.end());
            logits.audio.insert(logits.audio.end(), some.audio.begin(), some.audio.end());
            state.length_ += part;
        }
    } catch (...) {
        state.truncate(before);
        throw;
    }
    return logits;
}

void Lm::check_ids(int32_t text, int32_t audio) const {
    const auto check = [](const char * argument, int32_t id, int size) {
        if (id < 0 || id >= size) {
            throw MossError(
                code::invalid_argument,
                std::string(argument) + " id " + std::to_string(id) + " is not in the vocabulary",
                {{"argument", argument}, {"expected", "0 … " + std::to_string(size - 1)}, {"found", double(id)}});
        }
    };
    check("text", text, config_.text_vocab_size);
    if (!config_.text_only()) {
        check("audio", audio, config_.audio_vocab_size);
    }
}

/// The sum of the embeddings of both channels at the positions of the pass, [H, T].
ggml_tensor * Lm::embeddings(Pass & pass, const int32_t * text, const int32_t * audio) const {
    Graph & g = pass.g;
    ggml_tensor * ids = g.input(GGML_TYPE_I32, {pass.count}, text);
    ggml_tensor * of_text =
        text_embd_ != nullptr ? ggml_get_rows(g, text_embd_, ids) : moss::embeddings(g, ids, *text_output_.packed);
    if (config_.text_only()) {
        return of_text;
    }
    ggml_tensor * of_audio = ggml_get_rows(g, audio_embd_, g.input(GGML_TYPE_I32, {pass.count}, audio));
    return ggml_add(g, of_text, of_audio);
}

LmLogits Lm::push(Runner & runner, State & state, const int32_t * text, const int32_t * audio, int count, Tails tails,
                  bool all_positions) const {
    for (int i = 0; i < count; i++) {
        check_ids(text[i], config_.text_only() ? 0 : audio[i]);
    }
    return push_pieces(runner, state, count, tails, all_positions, [&](Pass & pass, int begin) {
        return embeddings(pass, text + begin, config_.text_only() ? nullptr : audio + begin);
    });
}

LmLogits Lm::push(Runner & runner, State & state, const float * embeddings, int count, Tails tails,
                  bool all_positions) const {
    return push_pieces(runner, state, count, tails, all_positions, [&](Pass & pass, int begin) {
        const int64_t size = config_.embedding_length;
        return pass.g.input(GGML_TYPE_F32, {size, pass.count}, embeddings + begin * size);
    });
}

void Lm::prepare(const Next & next) const {
    check_ids(next.text, next.audio);
    next.state->reserve(1);
}

std::vector<LmLogits> Lm::step(Runner & runner, const std::vector<Next> & next, Tails tails) const {
    std::vector<int32_t> text, audio;
    std::vector<std::pair<State *, int>> shares;
    for (const Next & n : next) {
        prepare(n);
        if (std::any_of(shares.begin(), shares.end(), [&](const auto & share) { return share.first == n.state; })) {
            throw MossError(code::invalid_argument, "a conversation occurs twice in one step", {{"argument", "next"}});
        }
        text.push_back(n.text);
        audio.push_back(n.audio);
        shares.emplace_back(n.state, 1);
    }
    std::vector<LmLogits> logits(next.size());
    if (next.empty()) {
        return logits;
    }
    Pass pass(*this, runner, shares, tails, true);
    const LmLogits all = run(pass, embeddings(pass, text.data(), audio.data()));
    const auto part = [&](const std::vector<float> & values, size_t i) {
        const size_t size = values.size() / next.size();
        const auto first = values.begin() + static_cast<std::ptrdiff_t>(i * size);
        return std::vector<float>(first, first + static_cast<std::ptrdiff_t>(size));
    };
    for (size_t i = 0; i < next.size(); i++) {
        next[i].state->length_++;
        logits[i] = {part(all.text, i), part(all.audio, i)};
    }
    return logits;
}

} // namespace moss
