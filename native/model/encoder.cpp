#include "encoder.h"

#include "../kernels/cpu/banded_attention.h"

#include <algorithm>
#include <cmath>

namespace moss {

Encoder::Encoder(const GgufFile & file, const Weights & weights, int feature_size, int unit_count)
    : config_(EncoderConfig::load(file)), device_(weights.device()), feature_size_(feature_size),
      unit_count_(unit_count) {
    const int size = config_.embedding_length;
    const float eps = config_.layer_norm_epsilon;
    double channels = 0; // of the keys of all blocks
    for (const int heads : config_.head_counts) {
        channels += double(heads) * config_.key_length;
    }
    Weights::check_state("moss-speech.encoder.left_context",
                         (double(config_.left_context) + config_.chunk_size) * channels * 2 * sizeof(float),
                         weights.bytes("encoder."));
    if (config_.feature_norm) {
        proj_norm_ = LayerNorm(weights, "encoder.proj_norm", feature_size, eps);
    }
    proj_ = Linear(weights, "encoder.proj", feature_size, size);
    const Conv1dShape position{size, size, config_.pos_conv_kernel, 1, 1, config_.pos_conv_groups};
    if (config_.pos_conv_stack == 0) {
        pos_conv_.emplace_back(weights, "encoder.pos_conv", position);
    }
    for (int i = 0; i < config_.pos_conv_stack; i++) {
        pos_conv_.emplace_back(weights, "encoder.pos_conv." + std::to_string(i), position);
    }
    norm_ = LayerNorm(weights, "encoder.norm", size, eps);
    for (int i = 0; i < config_.block_count; i++) {
        const std::string name = "encoder.blk." + std::to_string(i) + ".";
        Block block;
        block.attn_norm = LayerNorm(weights, name + "attn_norm", size, eps);
        const int64_t heads_size = int64_t(config_.head_counts[static_cast<size_t>(i)]) * config_.key_length;
        block.attn_q = Linear(weights, name + "attn_q", size, heads_size);
        block.attn_k = Linear(weights, name + "attn_k", size, heads_size);
        block.attn_v = Linear(weights, name + "attn_v", size, heads_size);
        block.attn_out = Linear(weights, name + "attn_out", heads_size, size);
        block.ffn_norm = LayerNorm(weights, name + "ffn_norm", size, eps);
        block.ffn_up = Linear(weights, name + "ffn_up", size, config_.feed_forward_length);
        block.ffn_down = Linear(weights, name + "ffn_down", config_.feed_forward_length, size);
        blocks_.push_back(block);
    }
    if (unit_count > 0) {
        ctc_ = Linear(weights, "encoder.ctc", size, unit_count);
    }
}

Encoder::State::State(const Encoder & encoder, int chunk_size) : chunk_size_(chunk_size), slots_(encoder.device_) {
    const EncoderConfig & config = encoder.config_;
    if (!config.pos_conv_causal) {
        throw MossError(code::unsupported, "this model's encoder needs whole utterances, so it cannot stream");
    }
    if (chunk_size < 1 || chunk_size > 4096) {
        throw MossError(code::invalid_argument, "chunk size of " + std::to_string(chunk_size) + " frames",
                        {{"argument", "chunk_size"}, {"expected", "1 … 4096"}, {"found", double(chunk_size)}});
    }
    capacity_ = ((config.left_context + chunk_size - 1) / chunk_size + 1) * chunk_size;
    const int64_t size = config.embedding_length;
    const int left = encoder.pos_conv_.front().left_context();
    if (left > 0) {
        pos_context_ = slots_.add("encoder.pos_conv.context", GGML_TYPE_F32, {size, left});
    }
    for (int i = 0; i < config.block_count; i++) {
        const std::string name = "encoder.blk." + std::to_string(i);
        const int64_t heads_size = int64_t(config.head_counts[static_cast<size_t>(i)]) * config.key_length;
        k_.push_back(slots_.add(name + ".k", GGML_TYPE_F32, {heads_size, capacity_}));
        v_.push_back(slots_.add(name + ".v", GGML_TYPE_F32, {capacity_, heads_size}));
    }
    slots_.allocate();
}

void Encoder::State::clear() {
    frames_ = 0;
    slots_.clear();
}

int Encoder::State::slot() const {
    return static_cast<int>(frames_ % capacity_);
}

int Encoder::State::filled() const {
    return static_cast<int>(std::min<int64_t>(frames_ + chunk_size_, capacity_));
}

std::vector<float> Encoder::State::mask(int frames, int left_context) const {
    // Which frame is in each slot of the ring buffer. It is filled chunk by chunk; the current chunk is the newest.
    std::vector<float> row(static_cast<size_t>(filled()));
    bool masked = false;
    for (int i = 0; i < filled(); i++) {
        const int age = (slot() / chunk_size_ - i / chunk_size_ + capacity_ / chunk_size_) % (capacity_ / chunk_size_);
        const int from_start = i % chunk_size_ - age * chunk_size_; // relative to the start of the current chunk
        const bool visible = from_start >= -left_context && from_start < frames;
        row[static_cast<size_t>(i)] = visible ? 0.0f : -INFINITY;
        masked = masked || !visible;
    }
    std::vector<float> all;
    for (int t = 0; masked && t < frames; t++) {
        all.insert(all.end(), row.begin(), row.end());
    }
    return all;
}

/// The outputs of all heads for x [E, T] -> [D * H, T].
ggml_tensor * Encoder::attend(Graph & g, const Block & block, ggml_tensor * x, State * state, size_t index,
                              ggml_tensor * mask) const {
    const int64_t heads = config_.head_counts[index], dim = config_.key_length, size = heads * dim, frames = x->ne[1];
    ggml_tensor * q = block.attn_q(g, x); // [D * H, T]
    ggml_tensor * k = block.attn_k(g, x); // [D * H, T]
    ggml_tensor * v = block.attn_v(g, x); // [D * H, T]
    if (!state) {
        return banded_attention(g, q, k, v, heads, {frames, frames, 0}); // every frame sees all frames
    }
    ggml_tensor *ring_k = state->k_[index], *ring_v = state->v_[index];
    const size_t slot = static_cast<size_t>(state->slot());
    g.effect(ggml_cpy(g, k, ggml_view_2d(g, ring_k, size, frames, ring_k->nb[1], slot * ring_k->nb[1])));
    g.effect(
        ggml_cpy(g, ggml_transpose(g, v), ggml_view_2d(g, ring_v, frames, size, ring_v->nb[1], slot * ring_v->nb[0])));
    const int64_t filled = state->filled();
    const size_t head = static_cast<size_t>(dim);
    k = ggml_view_3d(g, ring_k, dim, heads, filled, head * ring_k->nb[0], ring_k->nb[1], 0);
    v = ggml_view_3d(g, ring_v, filled, dim, heads, ring_v->nb[1], head * ring_v->nb[1], 0);
    return attention(g, ggml_reshape_3d(g, q, dim, heads, frames), k, v, mask);
}

ggml_tensor * Encoder::project(Graph & g, ggml_tensor * x) const {
    return proj_(g, config_.feature_norm ? proj_norm_(g, x) : x);
}

/// x plus its positional embedding by convolutions.
ggml_tensor * Encoder::add_position(Graph & g, ggml_tensor * x, State * state) const {
    const int span = config_.pos_conv_kernel - 1;
    Conv1dOptions options;
    options.left = config_.pos_conv_causal
                       ? span
                       : config_.pos_conv_kernel / 2; // an even kernel sees one more frame before than after
    options.right = span - options.left;
    if (config_.pos_conv_stack > 0) {
        ggml_tensor * y = x;
        for (const Conv1d & conv : pos_conv_) {
            y = ggml_norm(g, conv(g, y, options), 1e-5f);
            y = activate(g, config_.position_activation, y);
        }
        return ggml_add(g, x, y);
    }
    options.output = {config_.position_activation};
    options.residual = x;
    if (state) {
        options.left = options.right = 0;
        return pos_conv_.front().causal(g, x, state->pos_context_, options);
    }
    return pos_conv_.front()(g, x, options);
}

void Encoder::compute(Runner & runner, State * state, const float * features, const float * tone_embedding, int frames,
                      EncoderFrames & out) const {
    const std::vector<float> mask_values = state ? state->mask(frames, config_.left_context) : std::vector<float>{};
    std::vector<float> hidden, logits;
    Graph g(runner,
            512 + 160 * blocks_.size()); // a block has about 40 tensors, and more when streaming or measuring heads
    ggml_tensor * x = project(g, g.input(GGML_TYPE_F32, {feature_size_, frames}, features)); // [E, T]
    if (tone_embedding) {
        x = ggml_add(g, x, g.input(GGML_TYPE_F32, {config_.embedding_length, frames}, tone_embedding));
    }
    x = add_position(g, g.stage(x, "encoder.input"), state);
    if (!config_.norm_first) {
        x = norm_(g, x);
    }
    g.stage(x, "encoder.pos");
    ggml_tensor * mask = nullptr;
    if (!mask_values.empty()) {
        mask = g.input(GGML_TYPE_F32, {state->filled(), frames}, mask_values.data());
    }
    for (size_t i = 0; i < blocks_.size(); i++) {
        const Block & block = blocks_[i];
        const std::string name = "encoder.blk." + std::to_string(i);
        const auto with_attention = [&](ggml_tensor * y) {
            return add_heads(g, block.attn_out, attend(g, block, y, state, i, mask), x, config_.head_counts[i], name);
        };
        const auto feed_forward = [&](ggml_tensor * y) {
            return block.ffn_down(g, block.ffn_up(g, y, config_.activation));
        };
        if (config_.norm_first) {
            x = with_attention(block.attn_norm(g, x));
            x = ggml_add(g, x, feed_forward(block.ffn_norm(g, x)));
        } else {
            x = block.attn_norm(g, with_attention(x));
            x = block.ffn_norm(g, ggml_add(g, x, feed_forward(x)));
        }
        g.stage(x, name);
    }
    if (config_.norm_first) {
        x = norm_(g, x);
    }
    g.output(g.stage(x, "encoder.hidden"), hidden);
    if (unit_count_ > 0) {
        g.output(g.stage(ctc_(g, x), "encoder.logits"), logits);
    }
    g.run();
    out.hidden.insert(out.hidden.end(), hidden.begin(), hidden.end());
    out.logits.insert(out.logits.end(), logits.begin(), logits.end());
}

void Encoder::push(Runner & runner, State & state, const float * features, const float * tone_embedding, int frames,
                   EncoderFrames & out) const {
    if (frames < 1 || frames > state.chunk_size_ || state.frames_ % state.chunk_size_ != 0) {
        throw MossError(code::internal, "a chunk of " + std::to_string(frames) + " frames after a stream's last");
    }
    compute(runner, &state, features, tone_embedding, frames, out);
    state.frames_ += frames;
}

void Encoder::peek(Runner & runner, State & state, const float * features, const float * tone_embedding, int frames,
                   EncoderFrames & out) const {
    // The keys and values go where those of the whole chunk will be written; only the convolution's context is changed.
    std::vector<uint8_t> context(state.pos_context_ ? ggml_nbytes(state.pos_context_) : 0);
    if (!context.empty()) {
        ggml_backend_tensor_get(state.pos_context_, context.data(), 0, context.size());
    }
    compute(runner, &state, features, tone_embedding, frames, out);
    if (!context.empty()) {
        ggml_backend_tensor_set(state.pos_context_, context.data(), 0, context.size());
    }
}

void Encoder::whole(Runner & runner, const float * features, const float * tone_embedding, int frames,
                    EncoderFrames & out) const {
    if (frames < 1 || frames > max_frames) {
        throw MossError(code::audio_length,
                        "an utterance of " + std::to_string(frames) + " frames; with full context there may be " +
                            std::to_string(max_frames),
                        {{"frames", static_cast<double>(frames)}});
    }
    compute(runner, nullptr, features, tone_embedding, frames, out);
}

} // namespace moss
