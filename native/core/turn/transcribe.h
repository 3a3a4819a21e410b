#pragma once

#include "core/hearing/hearing.h"
#include "core/turn/sampler.h"

#include <vector>

namespace moss {

/// The text of what was heard, as the language model's token ids. The context is empty before and holds the speech and
/// its text after.
std::vector<int32_t> transcribe(const Model::Parts & parts, Runner & runner, Lm::State & state, const Heard & heard,
                                const Sampling & sampling, int max_tokens);

} // namespace moss
