// Finds the utterances of a recording with the voice activity network.

#pragma once

#include "model/vad.h"

#include <cstddef>
#include <vector>

namespace moss {

/// The samples [begin, end) of a recording.
struct Span {
    size_t begin = 0;
    size_t end = 0;

    size_t size() const { return end - begin; }
};

/// How the network's probabilities become utterances. The thresholds were chosen on speakers who are not in the tests
/// (docs/reliability.md).
struct VoiceActivity {
    float begin = 0.4F;          ///< an utterance needs a window with at least this probability
    float hold = 0.2F;           ///< and extends over neighbouring windows with at least this one
    double shortest = 0.16;      ///< seconds; anything shorter is taken for a click or a cough
    double pause = 0.3;          ///< seconds; a shorter pause does not separate utterances
    double margin = 0.3;         ///< seconds added before and after an utterance, at most to the middle of the pause
    double longest = 8;          ///< seconds; longer utterances are cut where speech is least probable
    float peak = 0.5F;           ///< quiet recordings are amplified to this peak before the network hears them,
    float amplification = 100.F; ///< but at most by this factor
};

/// The utterances of a whole recording, in order and without overlap; none if nobody speaks. `samples` must be finite.
/// Quiet recordings are amplified first.
std::vector<Span> find_utterances(const Vad & vad, Runner & runner, const std::vector<float> & samples,
                                  const VoiceActivity & rule = {});

/// The utterances that follow from the probabilities of windows of `window` samples, at `sample_rate` Hz, in a
/// recording of `samples` samples.
std::vector<Span> utterances(const std::vector<float> & probabilities, size_t window, int sample_rate, size_t samples,
                             const VoiceActivity & rule);

} // namespace moss
