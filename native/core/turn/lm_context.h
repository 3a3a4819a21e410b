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

/// Makes the positions of a turn (docs/internals/turn.md; training/data/template.py).
class TurnPositions {
  public:
    explicit TurnPositions(const Vocabulary & vocabulary) : vocabulary_(&vocabulary) {}

    /// Text ids, with pad in the audio channel.
    Positions text(const std::vector<int32_t> & ids) const;
    /// The position before the first unit of a spoken reply: (sosp, pad).
    Positions speech_start() const;
    /// A unit of a spoken reply, with modality_pad in the text channel.
    Positions unit(int32_t id) const;
    /// The position after the last unit: (modality_pad, eosp). It predicts the first text id.
    Positions speech_end() const;

  private:
    const Vocabulary * vocabulary_;
};

/// The language model's context during a turn: appends positions to the KV cache and samples ids from the logits of
/// either tail.
class LmContext {
  public:
    LmContext(const Model::Parts & parts, Runner & runner, Lm::State & state)
        : parts_(parts), runner_(runner), state_(state) {}

    int n_ctx() const { return state_.n_ctx(); }
    int length() const { return state_.length(); }
    /// The number of positions that can be appended so that turn_end still fits.
    int left() const;

    /// Appends at least one position and returns the logits of the last one.
    LmLogits append(const Positions & positions, Tails tails);
    /// Appends at least one text id and returns the logits of the last one.
    LmLogits append_text(const std::vector<int32_t> & ids, Tails tails);
    /// Appends the aligner's embeddings of speech [count, H], count > 0.
    void append_embeddings(const float * embeddings, size_t count);

    /// Samples a text id. im_start, sosp, modality_pad and pad are masked.
    int32_t sample_text(Sampler & sampler, LmLogits & logits) const;
    /// Samples a unit or eosp. The blank and the pad are masked, and eosp too unless `may_end`.
    int32_t sample_unit(Sampler & sampler, LmLogits & logits, bool may_end) const;

    /// Samples text and appends it until im_end, which is not appended, until `max_tokens` ids or until the context is
    /// full. Returns the reason.
    FinishReason generate_text(LmLogits logits, Sampler & sampler, int max_tokens,
                               const std::function<void(int32_t)> & on_token);

  private:
    const Model::Parts & parts_;
    Runner & runner_;
    Lm::State & state_;
};

} // namespace moss
