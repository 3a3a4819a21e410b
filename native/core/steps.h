#pragma once

#include "core/parts.h"
#include "core/probe.h"

#include <vector>

namespace moss {

/// Rows that a language model reads at once, and what comes after each of them.
struct Step {
    std::vector<int32_t> text, audio; // of the grid; audio is empty in an imported model
    std::vector<float> rows;          // or continuous ones [R, H]
    Tails tails = Tails::none;        // that predict
    std::vector<int32_t> targets;     // one a row, of the channel that predicts; none where none does
};

/// An exercise as steps of at most 128 rows: ids an imported model reads, or a bundle's turn (ARCHITECTURE.md, "Turn"),
/// where only the reply is predicted. Throws invalid_argument and what hearing throws.
std::vector<Step> steps_of(const Model::Parts & parts, Runner & runner, const Exercise & exercise);

/// Logits of the step's tail: of all its rows, or of the last one. An imported model computes them for all rows only.
LmLogits push(const Lm & lm, Runner & runner, Lm::State & state, const Step & step, bool all_rows);

} // namespace moss
