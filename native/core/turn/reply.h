#pragma once

#include "core/turn/lm_context.h"

#include <optional>
#include <vector>

namespace moss {

/// Where the reply of a turn is in the context.
struct ReplyInContext {
    int turn_start = 0; ///< the context's length before the turn
    int start = 0;      ///< the position of the first unit, or of the first text id of a written reply
    bool spoken = true;
    size_t units = 0; ///< of a spoken reply, in the context
};

/// Shortens a spoken reply, the last thing in the context, to its first `units` units and to `text`, and closes the
/// turn. If `text` is not set, the language model writes a text for the units that are left, at temperature 0 and at
/// most `max_tokens` ids. Without units, nothing of the reply is left, and the context is truncated to the start of the
/// turn. Of a written reply all is left; it is only closed. Returns the text of a spoken reply. Throws aborted or
/// out_of_memory, and then the context is to be truncated to the start of the turn.
std::vector<int32_t> shorten_reply(const Model::Parts & parts, Runner & runner, Lm::State & state,
                                   ReplyInContext & reply, size_t units,
                                   const std::optional<std::vector<int32_t>> & text, int max_tokens);

} // namespace moss
