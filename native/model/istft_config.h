// Hyperparameters of the waveform generator with a harmonic source (training/networks/istft_generator.py).

#pragma once

#include "../io/gguf_file.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace moss {

/// Keys `moss-speech.generator.<field>`.
struct IstftConfig {
    int sample_rate = 0;                                         // Hz
    int feature_size = 0;                                        // channels of the input
    std::vector<int> channels, upsample_rates, upsample_kernels; // one for each level
    std::vector<int> resblock_kernels, resblock_dilations;
    std::vector<int> noise_kernels; // kernel of the residual block after each level's noise convolution
    int istft_n_fft = 0;
    int istft_hop = 0;
    std::vector<std::string> voices; // the voices that the normalisations have constants for

    /// Throws model_format for a key that is missing, has another type or is out of range.
    static IstftConfig load(const GgufFile & file);

    size_t levels() const { return channels.size(); }
    int bins() const { return istft_n_fft / 2 + 1; }
    /// Channels of the spectrum: magnitudes, then phases.
    int spectrum_channels() const { return 2 * bins(); }
    /// The number of samples for each frame of the input.
    int64_t hop_length() const { return frames_above(0) * upsample_rates.front() * istft_hop; }
    /// The number of frames of the spectrum for each frame of a level.
    int64_t frames_above(size_t level) const;
};

} // namespace moss
