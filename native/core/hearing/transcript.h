#pragma once

#include "core/moss.h"

namespace moss {

/// Appends the likeliest unit of each frame, a row of `unit_count` logits.
void append_likeliest(const std::vector<float> & logits, int unit_count, std::vector<int32_t> & path);

/// Greedy CTC: of the likeliest unit of each frame, repeats are merged and blanks dropped.
///
/// CTC marks a unit with a few frames and leaves blanks between, so a unit's span is grown on both sides to the middle
/// of the gap, by max_growth at most.
/// @param frame_seconds  length of a frame
/// @param seconds        end of the recording: the silence appended to it is left out of the spans
std::vector<HeardUnit> ctc_greedy(const std::vector<int32_t> & path, double frame_seconds, double seconds);

} // namespace moss
