#include "core/rows.h"

#include <algorithm>
#include <limits>

namespace moss {

namespace {

constexpr float masked = -std::numeric_limits<float>::infinity();

} // namespace

LmLogits Rows::push_text(const std::vector<int32_t> & ids, Tails tails) {
    const std::vector<int32_t> audio(ids.size(), parts_.vocabulary.audio.pad);
    return parts_.lm->push(runner_, context_, ids.data(), audio.data(), static_cast<int>(ids.size()), tails);
}

LmLogits Rows::push(int32_t text, int32_t audio, Tails tails) {
    return parts_.lm->push(runner_, context_, &text, &audio, 1, tails);
}

void Rows::push_speech(const std::vector<float> & rows) {
    const size_t count = rows.size() / static_cast<size_t>(parts_.lm->config().embedding_length);
    parts_.lm->push(runner_, context_, rows.data(), static_cast<int>(count), Tails::none);
}

int Rows::left() const {
    return context_.n_ctx() - context_.length() - static_cast<int>(parts_.rows.turn_end.size());
}

int32_t Rows::draw_text(Sampler & sampler, LmLogits & logits) const {
    const auto & token = parts_.vocabulary.text;
    for (const int id : {token.im_start, token.sosp, token.modality_pad, token.pad}) {
        logits.text[static_cast<size_t>(id)] = masked;
    }
    return sampler.sample(logits.text);
}

int32_t Rows::draw_unit(Sampler & sampler, LmLogits & logits, bool may_end) const {
    const auto eosp = static_cast<size_t>(parts_.vocabulary.audio.eosp);
    const float end = may_end ? logits.audio[eosp] : masked;
    logits.audio[0] = masked;
    std::fill(logits.audio.begin() + static_cast<std::ptrdiff_t>(parts_.vocabulary.units.size()), logits.audio.end(),
              masked);
    logits.audio[eosp] = end;
    return sampler.sample(logits.audio);
}

FinishReason Rows::write(LmLogits logits, Sampler & sampler, int max_tokens,
                         const std::function<void(int32_t)> & on_token) {
    for (int count = 0; count < max_tokens; count++) {
        if (left() <= 0) {
            return FinishReason::context_length;
        }
        const int32_t id = draw_text(sampler, logits);
        if (id == parts_.vocabulary.text.im_end) {
            return FinishReason::stop;
        }
        on_token(id);
        logits = push_text({id}, Tails::text);
    }
    return FinishReason::max_tokens;
}

} // namespace moss
