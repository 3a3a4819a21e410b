// Where somebody speaks in a recording: the voice activity network's probabilities, cut into utterances.

#pragma once

#include "model/vad.h"

#include <cstddef>
#include <vector>

namespace moss {

/// Samples begin .. end of a recording.
struct Span {
    size_t begin = 0;
    size_t end = 0;

    size_t size() const { return end - begin; }
};

/// How probabilities become utterances. The thresholds were chosen on people who are not in the tests
/// (docs/reliability.md).
struct VoiceActivity {
    float begin = 0.4F;          ///< speech has a window as probable as this
    float hold = 0.2F;           ///< and goes on while windows are as probable as this
    double shortest = 0.16;      ///< seconds; what is shorter is a click or a cough
    double pause = 0.3;          ///< seconds between two utterances; shorter ones are within one
    double margin = 0.3;         ///< seconds around an utterance that go with it, where no other one is
    double longest = 8;          ///< seconds; longer utterances are cut where speech is least probable
    float peak = 0.5F;           ///< quiet recordings are made as loud as this before the network hears them,
    float amplification = 100.F; ///< but not more than so many times louder
};

/// The utterances of a whole recording, in order and apart; none where nobody speaks. Loud and quiet recordings are
/// heard alike. Finite `samples`.
std::vector<Span> find_utterances(const Vad & vad, Runner & runner, const std::vector<float> & samples,
                                  const VoiceActivity & rule = {});

/// The same of the probabilities of windows of `window` samples at `sample_rate` Hz, in a recording of `samples`
/// samples.
std::vector<Span> utterances(const std::vector<float> & probabilities, size_t window, int sample_rate, size_t samples,
                             const VoiceActivity & rule);

} // namespace moss
