#pragma once

#include "core/parts.h"
#include "core/probe/probe.h"
#include "core/turn/lm_context.h"

#include <vector>

namespace moss {

/// Positions that a language model reads at once, and what comes after each of them.
struct Step {
    Positions positions;           // its audio ids are empty in an imported model
    std::vector<float> embeddings; // or what was heard instead of them, [T, H]
    Tails tails = Tails::none;     // that predict
    std::vector<int32_t> targets;  // one a position, of the channel that predicts; none where none does
};

/// An exercise as steps of at most 128 positions: ids an imported model reads, or a bundle's turn
/// (docs/internals/turn.md), where only the reply is predicted. Throws invalid_argument and what hearing throws.
std::vector<Step> steps_of(const Model::Parts & parts, Runner & runner, const Exercise & exercise);

/// Logits of the step's tail: of all its positions, or of the last one. An imported model computes them for all
/// positions only.
LmLogits push(const Lm & lm, Runner & runner, Lm::State & state, const Step & step, bool all_positions);

} // namespace moss
