#pragma once

#include "core/parts.h"
#include "core/probe/probe.h"
#include "core/turn/lm_context.h"

#include <vector>

namespace moss {

/// Positions that are pushed to a language model at once, and the ids that they are to predict.
struct Step {
    Positions positions;           // without audio ids for an imported model
    std::vector<float> embeddings; // embeddings of speech [T, H] in place of positions; may be empty
    Tails tails = Tails::none;     // the tail that predicts the targets
    std::vector<int32_t> targets;  // the next id of each position in that tail's channel; empty without a tail
};

/// Splits an exercise into steps of at most 128 positions: the text of an imported model, or a bundle's turn
/// (docs/internals/turn.md), of which only the reply is predicted. Speech is one step. Throws invalid_argument, and as
/// check_speech() does.
std::vector<Step> steps_of(const Model::Parts & parts, Runner & runner, const Exercise & exercise);

/// Appends a step to `state` and returns the logits of its tail: for all positions, or for the last one. For an
/// imported model, they are only computed if `all_positions` is true.
LmLogits push(const Lm & lm, Runner & runner, Lm::State & state, const Step & step, bool all_positions);

} // namespace moss
