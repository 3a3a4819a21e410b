#pragma once

#include "core/clock.h"
#include "core/parts.h"

#include <vector>

namespace moss {

/// The context of an imported language model: the KV cache and the ids at its positions.
struct TextContext {
    Lm::State & cache;
    std::vector<int32_t> & ids;
};

/// One turn of an imported language model: text in, text out. The request holds the whole conversation. The longest
/// prefix of it that the KV cache already holds is kept; the positions after that are computed again.
class TextTurn {
  public:
    /// Throws if the request does not fit the model or the context. Computes nothing.
    TextTurn(const Model::Parts & parts, Runner & runner, TextContext context, const Request & request,
             const Receiver & receiver, uint64_t seed);

    /// The number of positions of the context that are kept.
    int kept() const { return static_cast<int>(kept_); }

    /// Prefills the context, then samples and delivers the reply. Afterwards the context holds the conversation and the
    /// reply.
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
