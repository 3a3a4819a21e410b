#pragma once

#include "core/clock.h"
#include "core/parts.h"
#include "core/turn/turns.h"

#include <vector>

namespace moss {

/// The context of an imported language model: the turns in its KV cache, and the ids at all positions.
struct TextContext {
    Turns & turns;
    std::vector<int32_t> & ids;
};

/// One turn of an imported language model: text in, text out. The request holds the whole conversation. The longest
/// prefix of it that the KV cache already holds is kept; the positions after that are computed again. If old turns were
/// left out of the request (Request::shortened), their positions are removed from the cache, and what follows is kept
/// too.
class TextTurn {
  public:
    /// Throws if the request does not fit the model or the context. Computes nothing.
    TextTurn(const Model::Parts & parts, Runner & runner, TextContext context, const Request & request,
             const Receiver & receiver, uint64_t seed);

    /// The number of positions of the context that are kept, in front of the new ones.
    int kept() const { return static_cast<int>(kept_); }

    /// Prefills the context, then samples and delivers the reply. Afterwards the context holds the conversation and the
    /// reply.
    void run();

  private:
    void check() const;
    void find_kept();
    LmLogits prefill();
    LmLogits push(const int32_t * ids, size_t count);

    const Model::Parts & parts_;
    Runner & runner_;
    TextContext context_;
    const Request & request_;
    const Receiver & receiver_;
    Sampling sampling_;
    size_t kept_ = 0;
    size_t gap_start_ = 0, gap_ = 0; // positions that are removed, before the last of those that are kept
    Clock clock_;
};

} // namespace moss
