// Measurements for tools that change models: the contribution of attention heads, and the difference between a changed
// model and its original.

#pragma once

#include "core/cancel.h"
#include "core/moss.h"

#include <cstdint>
#include <string>
#include <vector>

namespace moss {

/// The networks whose attention heads can be measured.
enum class Network { encoder, lm };

/// Input for a network. The encoder takes `samples`. An imported language model takes `text`. The language model of a
/// bundle takes a whole turn: the user's words as `samples` or `text`, and the reply to them as `units` and `reply`.
struct Exercise {
    std::vector<float> samples; ///< 16 kHz mono, finite
    std::vector<int32_t> text;  ///< token ids
    std::vector<int32_t> units; ///< units of a spoken reply; empty for a written reply
    std::vector<int32_t> reply; ///< token ids of the reply's text
};

/// What the heads of a block contribute to the residual stream.
struct HeadShares {
    std::string block;          ///< prefix of its tensors' names: "encoder.blk.0", "blk.3", "audio.blk.0"
    std::vector<double> shares; ///< for each head of an encoder, or KV head of a language model with its query heads:
                                ///< norm of its output relative to the residual stream's, mean over the positions
    int64_t positions = 0;
};

/// The difference between a changed network and its original on an exercise. The values are sums over the positions, so
/// that those of several exercises can be added.
struct Difference {
    int64_t positions = 0; ///< encoder: frames; language model: positions whose next id is known
    // Encoder:
    double cosine = 0; ///< cosine similarities of the hidden states
    int64_t units = 0; ///< number of units that the original's CTC head recognizes
    int64_t edits = 0; ///< insertions, deletions and substitutions between the original's and the changed one's units
    // Language model, in nats:
    double loss_before = 0; ///< -ln p(next id) of the original
    double loss_after = 0;  ///< -ln p(next id) of the changed one
    double divergence = 0;  ///< Kullback-Leibler divergence of the changed one's distribution from the original's
};

/// Measures the heads of all blocks; the blocks are in no particular order.
/// @throws MossError MOSS_UNSUPPORTED (the model lacks the network), MOSS_INVALID_ARGUMENT, MOSS_AUDIO_LENGTH,
/// MOSS_PROMPT_TOO_LONG (longer than the context), MOSS_ABORTED or MOSS_OUT_OF_MEMORY.
std::vector<HeadShares> measure_heads(const Model & model, Network network, const Exercise & exercise,
                                      CancelToken & cancel);

/// Compares two models. Throws as measure_heads() does, and MOSS_INVALID_ARGUMENT if their outputs differ in size.
Difference compare(const Model & before, const Model & after, Network network, const Exercise & exercise,
                   CancelToken & cancel);

} // namespace moss
