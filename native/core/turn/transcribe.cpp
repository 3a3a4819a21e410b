#include "core/turn/transcribe.h"

#include "core/turn/lm_context.h"

namespace moss {

std::vector<int32_t> transcribe(const Model::Parts & parts, Runner & runner, Lm::State & state, const Heard & heard,
                                const Sampling & sampling, int max_tokens) {
    LmContext context(parts, runner, state);
    context.append_text(parts.turn_template.transcribe_prefix, Tails::none);
    context.append_embeddings(heard.embeddings);
    Sampler sampler(sampling);
    std::vector<int32_t> text;
    context.generate_text(context.append_text(parts.turn_template.assistant_prefix, Tails::text), sampler, max_tokens,
                          [&](int32_t id) { text.push_back(id); });
    return text;
}

} // namespace moss
