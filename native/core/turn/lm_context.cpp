#include "core/turn/lm_context.h"

#include <algorithm>
#include <limits>

namespace moss {

namespace {

constexpr float masked = -std::numeric_limits<float>::infinity();

} // namespace

Positions & Positions::operator+=(const Positions & next) {
    text.insert(text.end(), next.text.begin(), next.text.end());
    audio.insert(audio.end(), next.audio.begin(), next.audio.end());
    return *this;
}

Positions TurnPositions::text(const std::vector<int32_t> & ids) const {
    return {ids, std::vector<int32_t>(ids.size(), vocabulary_->audio.pad)};
}

Positions TurnPositions::speech_start() const {
    return {{vocabulary_->text.sosp}, {vocabulary_->audio.pad}};
}

Positions TurnPositions::unit(int32_t id) const {
    return {{vocabulary_->text.modality_pad}, {id}};
}

Positions TurnPositions::speech_end() const {
    return unit(vocabulary_->audio.eosp);
}

LmLogits LmContext::append(const Positions & positions, Tails tails) {
    if (positions.count() == 1) {
        return parts_.steps->step(runner_, state_, positions.text[0], positions.audio[0], tails);
    }
    return parts_.lm->push(runner_, state_, positions.text.data(), positions.audio.data(), positions.count(), tails);
}

LmLogits LmContext::append_text(const std::vector<int32_t> & ids, Tails tails) {
    return append(TurnPositions(parts_.vocabulary).text(ids), tails);
}

void LmContext::append_embeddings(const float * embeddings, size_t count) {
    parts_.lm->push(runner_, state_, embeddings, static_cast<int>(count), Tails::none);
}

int LmContext::left() const {
    return state_.n_ctx() - state_.length() - static_cast<int>(parts_.turn_template.turn_end.size());
}

int32_t LmContext::sample_text(Sampler & sampler, LmLogits & logits) const {
    const auto & token = parts_.vocabulary.text;
    for (const int id : {token.im_start, token.sosp, token.modality_pad, token.pad}) {
        logits.text[static_cast<size_t>(id)] = masked;
    }
    return sampler.sample(logits.text);
}

int32_t LmContext::sample_unit(Sampler & sampler, LmLogits & logits, bool may_end) const {
    const auto eosp = static_cast<size_t>(parts_.vocabulary.audio.eosp);
    const float end = may_end ? logits.audio[eosp] : masked;
    logits.audio[0] = masked;
    std::fill(logits.audio.begin() + static_cast<std::ptrdiff_t>(parts_.vocabulary.units.size()), logits.audio.end(),
              masked);
    logits.audio[eosp] = end;
    return sampler.sample(logits.audio);
}

FinishReason LmContext::generate_text(LmLogits logits, Sampler & sampler, int max_tokens,
                                      const std::function<void(int32_t)> & on_token) {
    for (int count = 0; count < max_tokens; count++) {
        if (left() <= 0) {
            return FinishReason::context_length;
        }
        const int32_t id = sample_text(sampler, logits);
        if (id == parts_.vocabulary.text.im_end) {
            return FinishReason::stop;
        }
        on_token(id);
        logits = append_text({id}, Tails::text);
    }
    return FinishReason::max_tokens;
}

} // namespace moss
