// What a model's networks do inside, for tools that change them: what attention heads contribute, and how far a changed
// model is from the one that it was made of.

#pragma once

#include "core/cancel.h"
#include "core/moss.h"

#include <cstdint>
#include <string>
#include <vector>

namespace moss {

/// A network with attention heads that a tool may change.
enum class Network { encoder, lm };

/// Something to run a network on. The encoder hears `samples`. An imported language model reads `text`; a bundle's
/// reads a whole turn: the user's words in `samples` or `text`, and the reply to them.
struct Exercise {
    std::vector<float> samples; ///< 16 kHz mono, finite
    std::vector<int32_t> text;  ///< token ids
    std::vector<int32_t> units; ///< of a spoken reply; none: it is only written
    std::vector<int32_t> reply; ///< token ids
};

/// What the heads of a block contribute to the residual stream.
struct HeadShares {
    std::string block;          ///< its tensors' name: "encoder.blk.0", "blk.3", "audio.blk.0"
    std::vector<double> shares; ///< of an encoder's head, or a language model's KV head with its queries: mean over the
                                ///< positions of the length of what it adds, relative to the stream's
    int64_t positions = 0;
};

/// How far a changed network is from another, over the positions of an exercise: sums, so that those of many can be
/// added.
struct Difference {
    int64_t positions = 0; ///< encoder: frames; language model: ids that had a next one to predict
    // Encoder:
    double cosine = 0; ///< of the hidden states
    int64_t units = 0; ///< that the CTC head of the unchanged one hears
    int64_t edits = 0; ///< insertions, deletions and substitutions from these to what the changed one hears
    // Language model, in nats:
    double loss_before = 0; ///< -ln p(next), by the unchanged one
    double loss_after = 0;
    double divergence = 0; ///< Kullback-Leibler, of the changed one's distribution from the unchanged one's
};

/// By block, in no order. @throws MossError MOSS_UNSUPPORTED (no such network), MOSS_INVALID_ARGUMENT,
/// MOSS_AUDIO_LENGTH, MOSS_PROMPT_TOO_LONG (longer than the context), MOSS_ABORTED or MOSS_OUT_OF_MEMORY.
std::vector<HeadShares> measure_heads(const Model & model, Network network, const Exercise & exercise,
                                      CancelToken & cancel);

/// The same errors; MOSS_INVALID_ARGUMENT also for models whose outputs cannot be compared.
Difference compare(const Model & before, const Model & after, Network network, const Exercise & exercise,
                   CancelToken & cancel);

} // namespace moss
