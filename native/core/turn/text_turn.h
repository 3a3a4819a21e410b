#pragma once

#include "core/clock.h"
#include "core/parts.h"

#include <vector>

namespace moss {

/// What a session of an imported language model has read and written: the KV cache and the ids at its positions.
struct TextContext {
    Lm::State & cache;
    std::vector<int32_t> & ids;
};

/// One turn of an imported language model: text in, text out. The request holds the whole conversation; positions that
/// the context has already, from the first on, are kept, the others are forgotten and read anew.
class TextTurn {
  public:
    /// Throws, before anything is computed, where the request does not fit the model or the context.
    TextTurn(const Model::Parts & parts, Runner & runner, TextContext context, const Request & request,
             const Receiver & receiver, uint64_t seed);

    /// Positions of the context that are kept.
    int kept() const { return static_cast<int>(kept_); }

    /// Reads, writes and delivers. The context holds the conversation then, and what was written.
    void run();

  private:
    void check() const;
    LmLogits push(const int32_t * ids, size_t count);

    const Model::Parts & parts_;
    Runner & runner_;
    TextContext context_;
    const Request & request_;
    const Receiver & receiver_;
    Sampling sampling_;
    size_t kept_ = 0;
    Clock clock_;
};

} // namespace moss
