// Hyperparameters of the decoder whose waveform generator is a separate component of the bundle
// (training/networks/config.py, FeatureDecoderConfig).

#pragma once

#include "vits_config.h"

#include <vector>

namespace moss {

/// Keys `moss-speech.decoder.<field>`.
struct FeatureDecoderConfig : UnitFramesConfig {
    int feature_hidden = 0; // channels of the residual blocks
    int feature_kernel = 0;
    std::vector<int> feature_dilations; // one for each block
    int feature_size = 0;               // channels of the generator's input

    /// Throws model_format for a key that is missing, of another type or out of range.
    static FeatureDecoderConfig load(const GgufFile & file);
};

} // namespace moss
