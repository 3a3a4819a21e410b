#include "core/turn/reply.h"

#include <algorithm>

namespace moss {

std::vector<int32_t> shorten_reply(const Model::Parts & parts, Runner & runner, Lm::State & state,
                                   ReplyInContext & reply, size_t units,
                                   const std::optional<std::vector<int32_t>> & text, int max_tokens) {
    std::vector<int32_t> written;
    if (reply.spoken) {
        reply.units = std::min(reply.units, units);
        if (reply.units == 0) {
            state.truncate(reply.turn_start);
            return written;
        }
        state.truncate(reply.start + static_cast<int>(reply.units));
    }
    LmContext context(parts, runner, state);
    if (reply.spoken) {
        const TurnPositions positions(parts.vocabulary);
        if (text) {
            written = *text;
            context.append(positions.speech_end(), Tails::none);
            if (!written.empty()) {
                context.append_text(written, Tails::none);
            }
        } else {
            LmLogits logits = context.append(positions.speech_end(), Tails::text);
            Sampling sampling = parts.info.sampling;
            sampling.temperature = 0;
            Sampler sampler(sampling);
            context.generate_text(std::move(logits), sampler, max_tokens, [&](int32_t id) { written.push_back(id); });
        }
    }
    context.append_text(parts.turn_template.turn_end, Tails::none);
    return written;
}

} // namespace moss
