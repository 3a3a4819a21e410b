#pragma once

#include "core/moss.h"
#include "core/parts.h"

#include <functional>
#include <vector>

namespace moss {

/// Appends rows to a context of the language model and draws ids from its tails.
class Rows {
  public:
    Rows(const Model::Parts & parts, Runner & runner, Lm::State & context)
        : parts_(parts), runner_(runner), context_(context) {}

    /// Rows (id, audio pad); at least one.
    LmLogits push_text(const std::vector<int32_t> & ids, Tails tails);
    /// One row of both channels.
    LmLogits push(int32_t text, int32_t audio, Tails tails);
    /// The aligner's rows [R, H], R > 0.
    void push_speech(const std::vector<float> & rows);

    /// Rows that fit before the turn must be closed.
    int left() const;

    /// Draws a text id. im_start, sosp, modality_pad and pad are masked.
    int32_t draw_text(Sampler & sampler, LmLogits & logits) const;
    /// Draws a unit or eosp. The blank and the pad are masked, eosp where it `may_end` not yet.
    int32_t draw_unit(Sampler & sampler, LmLogits & logits, bool may_end) const;

    /// Draws text and appends its rows until im_end, which is not appended, or `max_tokens`, or the context's end.
    /// Returns which of them it was.
    FinishReason write(LmLogits logits, Sampler & sampler, int max_tokens,
                       const std::function<void(int32_t)> & on_token);

  private:
    const Model::Parts & parts_;
    Runner & runner_;
    Lm::State & context_;
};

} // namespace moss
