#include "listener.h"

#include <algorithm>

namespace moss {

namespace {

void append(std::vector<float> & to, const std::vector<float> & from) {
    to.insert(to.end(), from.begin(), from.end());
}

} // namespace

Listener::Listener(const GgufFile & file, const Weights & weights, int unit_count, ggml_tensor * text_embd,
                   Runner & runner)
    : frontend_(file, weights), encoder_(file, weights, frontend_.feature_size(), unit_count) {
    if (file.has("moss-speech.tone.hidden")) {
        tone_ = std::make_unique<Tone>(file, weights, encoder_.config().embedding_length);
        if (frontend_.config().hop_length() != Nccf::hop_length || !frontend_.config().causal) {
            throw model_format_error("moss-speech.frontend.strides",
                                     "causal frames of 320 samples beside a tone module",
                                     std::to_string(frontend_.config().hop_length()));
        }
    }
    if (text_embd && file.has("moss-speech.aligner.block_count")) {
        aligner_ = std::make_unique<Aligner>(file, weights, encoder_.config().embedding_length, text_embd, runner);
    }
}

bool Listener::streamable() const {
    return frontend_.config().streamable() && encoder_.config().pos_conv_causal;
}

Listener::State::State(const Listener & listener, int chunk_size) : chunk_size_(chunk_size) {
    if (chunk_size > 0) {
        encoder_ = std::make_unique<Encoder::State>(listener.encoder_, chunk_size);
        if (!listener.streamable()) {
            throw MossError(code::unsupported, "this model needs whole utterances, so it cannot stream");
        }
    }
    if (listener.frontend_.config().streamable()) {
        frontend_ = std::make_unique<Frontend::State>(listener.frontend_);
    }
    if (listener.tone_) {
        tone_state_ = std::make_unique<Tone::State>(*listener.tone_);
    }
}

size_t Listener::State::bytes() const {
    const size_t waiting = samples_.capacity() + features_.capacity() + embedding_.capacity();
    return waiting * sizeof(float) + (frontend_ ? frontend_->bytes() : 0) + (tone_state_ ? tone_state_->bytes() : 0) +
           (encoder_ ? encoder_->bytes() : 0);
}

void Listener::State::clear() {
    total_ = aligned_ = 0;
    samples_.clear();
    features_.clear();
    embedding_.clear();
    if (frontend_) {
        frontend_->clear();
    }
    if (tone_state_) {
        tone_state_->clear();
    }
    if (encoder_) {
        encoder_->clear();
    }
}

void Listener::push(Runner & runner, State & state, const float * samples, size_t count, Heard & heard) const {
    state.total_ += count;
    state.samples_.insert(state.samples_.end(), samples, samples + count);
    advance(runner, state, heard, false);
}

std::vector<float> Listener::peek(Runner & runner, State & state) const {
    EncoderFrames ahead;
    const size_t frames = state.features_.size() / static_cast<size_t>(frontend_.feature_size());
    if (state.encoder_ && frames > 0) {
        encoder_.peek(runner, *state.encoder_, state.features_.data(), tone_ ? state.embedding_.data() : nullptr,
                      static_cast<int>(frames), ahead);
    }
    return std::move(ahead.hidden);
}

void Listener::finish(Runner & runner, State & state, Heard & heard) const {
    const size_t downsample = aligner_ ? static_cast<size_t>(aligner_->config().downsample) : 1;
    const size_t position = static_cast<size_t>(frontend_.config().hop_length()) * downsample;
    size_t padded = state.total_ + static_cast<size_t>(frontend_.config().tail_padding);
    if (state.frontend_ || aligner_) { // an imported encoder takes an utterance without padding
        padded = (padded + position - 1) / position * position;
    }
    state.samples_.resize(state.samples_.size() + padded - state.total_, 0.0f);
    state.total_ = padded;
    if (state.frontend_) {
        advance(runner, state, heard, true);
        return;
    }
    hear(runner, state.samples_.data(), state.samples_.size(), {}, [&](EncoderFrames && frames, int64_t) {
        append(heard.encoder.hidden, frames.hidden);
        append(heard.encoder.logits, frames.logits);
    });
    state.samples_.clear();
    align(runner, state, heard);
}

/// Computes as much as the samples so far allow; with `last`, everything.
void Listener::advance(Runner & runner, State & state, Heard & heard, bool last) const {
    const size_t hop = static_cast<size_t>(frontend_.config().hop_length());
    const size_t whole_hops = state.samples_.size() / hop * hop;
    if (whole_hops > 0 && state.frontend_) {
        frontend_.push(runner, *state.frontend_, state.samples_.data(), whole_hops, state.features_);
        if (tone_) {
            ToneFrames tone;
            tone_->push(runner, *state.tone_state_, state.samples_.data(), whole_hops, tone);
            append(state.embedding_, tone.embedding);
            append(heard.tone.log_f0, tone.log_f0);
            append(heard.tone.voicing, tone.voicing);
            append(heard.tone.logits, tone.logits);
            append(heard.tone.embedding, tone.embedding);
        }
        state.samples_.erase(state.samples_.begin(), state.samples_.begin() + static_cast<long>(whole_hops));
    }
    encode(runner, state, heard, last);
    align(runner, state, heard);
}

void Listener::encode(Runner & runner, State & state, Heard & heard, bool last) const {
    const size_t feature_size = static_cast<size_t>(frontend_.feature_size());
    const size_t size = static_cast<size_t>(encoder_.config().embedding_length);
    const size_t frames = state.features_.size() / feature_size;
    const float * embedding = tone_ ? state.embedding_.data() : nullptr;
    size_t done = 0;
    if (state.encoder_) {
        const size_t chunk = static_cast<size_t>(state.chunk_size_);
        while (frames - done >= chunk || (last && done < frames)) {
            const size_t part = std::min(chunk, frames - done);
            encoder_.push(runner, *state.encoder_, state.features_.data() + done * feature_size,
                          embedding ? embedding + done * size : nullptr, static_cast<int>(part), heard.encoder);
            done += part;
        }
    } else if (last && frames > 0) {
        if (frames > static_cast<size_t>(Encoder::max_frames)) {
            throw MossError(code::audio_length, "an utterance too long for full context",
                            {{"frames", static_cast<double>(frames)}});
        }
        encoder_.whole(runner, state.features_.data(), embedding, static_cast<int>(frames), heard.encoder);
        done = frames;
    }
    state.features_.erase(state.features_.begin(), state.features_.begin() + static_cast<long>(done * feature_size));
    if (tone_) {
        state.embedding_.erase(state.embedding_.begin(), state.embedding_.begin() + static_cast<long>(done * size));
    }
}

void Listener::hear(Runner & runner, const float * samples, size_t count, const Windows & windows,
                    const std::function<void(EncoderFrames && frames, int64_t total)> & receive) const {
    const Frontend::Utterance utterance(frontend_, samples, count);
    const int64_t total = utterance.frames(), most = windows.frames - 2 * windows.context;
    const int64_t pieces = total <= windows.frames ? 1 : (total + most - 1) / most; // of about equal length
    const int64_t feature_size = frontend_.feature_size();
    std::vector<float> features; // of frames first … end
    int64_t first = 0, end = 0;
    for (int64_t i = 0; i < pieces; i++) {
        const int64_t from = total * i / pieces, to = total * (i + 1) / pieces;
        const int64_t begin = std::max<int64_t>(0, from - windows.context);
        features.erase(features.begin(), features.begin() + (begin - first) * feature_size);
        first = begin;
        const int64_t needed = std::min(total, to + windows.context);
        utterance.read(runner, end, needed - end, features);
        end = needed;
        EncoderFrames window, middle;
        encoder_.whole(runner, features.data(), nullptr, static_cast<int>(end - begin), window);
        const auto cut = [&](const std::vector<float> & rows, std::vector<float> & cut_to) {
            const int64_t size = static_cast<int64_t>(rows.size()) / (end - begin);
            cut_to.assign(rows.begin() + (from - begin) * size, rows.begin() + (to - begin) * size);
        };
        cut(window.hidden, middle.hidden);
        cut(window.logits, middle.logits);
        receive(std::move(middle), total);
    }
}

void Listener::align(Runner & runner, State & state, Heard & heard) const {
    if (!aligner_) {
        return;
    }
    const size_t size = static_cast<size_t>(encoder_.config().embedding_length);
    const size_t downsample = static_cast<size_t>(aligner_->config().downsample);
    const size_t ready = (heard.encoder.hidden.size() / size - state.aligned_) / downsample * downsample;
    aligner_->push(runner, heard.encoder.hidden.data() + state.aligned_ * size, static_cast<int>(ready),
                   heard.embeddings);
    state.aligned_ += ready;
}

} // namespace moss
