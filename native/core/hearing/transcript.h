#pragma once

#include "core/moss.h"

namespace moss {

/// Appends the likeliest unit of each frame to `path`; logits [T, unit_count].
void append_likeliest(const std::vector<float> & logits, int unit_count, std::vector<int32_t> & path);

/// Greedy CTC decoding: merges repeats in the likeliest units of the frames and drops blanks.
///
/// CTC marks a unit in a few frames only, with blanks around them. The span of a unit is therefore extended on both
/// sides to the middle of the gap, by at most max_growth.
/// @param path           the likeliest unit of each frame
/// @param frame_seconds  length of a frame
/// @param seconds        end of the recording; spans do not reach into the padding after it
std::vector<HeardUnit> ctc_greedy(const std::vector<int32_t> & path, double frame_seconds, double seconds);

} // namespace moss
