#pragma once

#include "core/moss.h"
#include "core/parts.h"

#include <functional>
#include <vector>

namespace moss {

/// Positions of the language model's two channels, one text id and one audio id each.
struct Positions {
    std::vector<int32_t> text, audio;

    int count() const { return static_cast<int>(text.size()); }
    Positions & operator+=(const Positions & next);
};

/// What stands at the positions of a turn (docs/internals/turn.md; training/data/template.py).
class TurnPositions {
  public:
    explicit TurnPositions(const Vocabulary & vocabulary) : vocabulary_(&vocabulary) {}

    /// Text ids, each beside the audio channel's pad.
    Positions text(const std::vector<int32_t> & ids) const;
    /// Before the first unit of a spoken reply.
    Positions speech_start() const;
    /// A unit of a spoken reply; the text channel waits.
    Positions unit(int32_t id) const;
    /// After the last unit; the text channel goes on here.
    Positions speech_end() const;

  private:
    const Vocabulary * vocabulary_;
};

/// The context of a turn: appends positions to the KV cache and samples ids from the logits of either tail.
class LmContext {
  public:
    LmContext(const Model::Parts & parts, Runner & runner, Lm::State & state)
        : parts_(parts), runner_(runner), state_(state) {}

    int n_ctx() const { return state_.n_ctx(); }
    int length() const { return state_.length(); }
    /// Positions that fit before the turn must be closed.
    int left() const;

    /// Appends at least one position; logits of the last one.
    LmLogits append(const Positions & positions, Tails tails);
    /// The same for text ids.
    LmLogits append_text(const std::vector<int32_t> & ids, Tails tails);
    /// What was heard: the aligner's embeddings [count, H], count > 0.
    void append_embeddings(const float * embeddings, size_t count);

    /// Samples a text id. im_start, sosp, modality_pad and pad are masked.
    int32_t sample_text(Sampler & sampler, LmLogits & logits) const;
    /// Samples a unit or eosp. The blank and the pad are masked, and eosp unless it `may_end`.
    int32_t sample_unit(Sampler & sampler, LmLogits & logits, bool may_end) const;

    /// Samples text and appends it until im_end, which is not appended, or `max_tokens`, or the context's end. Returns
    /// which of them it was.
    FinishReason generate_text(LmLogits logits, Sampler & sampler, int max_tokens,
                               const std::function<void(int32_t)> & on_token);

  private:
    const Model::Parts & parts_;
    Runner & runner_;
    Lm::State & state_;
};

} // namespace moss
