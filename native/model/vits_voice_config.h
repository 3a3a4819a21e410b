// Hyperparameters of an imported voice: the original VITS (Kim et al. 2021), as in Piper and in transformers'
// VitsModel.

#pragma once

#include "../io/gguf_file.h"

#include <string>
#include <vector>

namespace moss {

/// Keys `moss-speech.voice.<field>`.
struct VoiceConfig {
    int sample_rate = 0; // Hz
    int vocab_size = 0;  // ids of the text
    int speaker_count = 0;
    int gin_channels = 0; // of a speaker embedding; 0 for a voice without one
    // Text encoder
    int hidden_size = 0;
    int block_count = 0;
    int head_count = 0;
    int ffn_size = 0;
    int ffn_kernel = 0;
    std::string ffn_activation; // relu, gelu
    int window_size = 0;        // relative positions reach +-window_size ids
    float norm_epsilon = 0;
    // Durations
    bool stochastic = false; // key `duration`: stochastic, plain
    int duration_channels = 0;
    int duration_kernel = 0;
    int duration_layers = 0; // of a stack of dilated convolutions; this and the next three only if stochastic
    int duration_flows = 0;  // flows that the inverse runs through
    int duration_bins = 0;
    float duration_tail_bound = 0;
    // Flow
    int flow_size = 0;
    int flow_count = 0;
    int wavenet_hidden = 0;
    int wavenet_layers = 0;
    int wavenet_kernel = 0;
    int wavenet_dilation_rate = 0;
    // Generator
    int upsample_initial = 0;
    std::vector<int> upsample_rates;
    std::vector<int> upsample_kernels;
    int resblock_type = 0;
    std::vector<int> resblock_kernels;
    std::vector<std::vector<int>>
        resblock_dilations; // for each kernel; concatenated in the file, the same number for each
    float leaky_slope = 0;
    // Defaults of synthesis
    float noise_scale = 0;  // scales the noise of the prior
    float noise_w = 0;      // scales the noise of the durations
    float length_scale = 0; // multiplies the durations
    int default_speaker = 0;

    /// Throws model_format for a key that is missing, of another type or out of range.
    static VoiceConfig load(const GgufFile & file);

    /// The number of samples in a frame: the product of the rates.
    int hop_length() const;
};

/// The speakers of a voice, its language, and how it reads text.
struct VoiceInfo {
    std::vector<std::string> speakers; // speaker_count names: `moss-speech.voice.speakers`
    std::string language;              // BCP 47: `moss-speech.voice.language`
    std::string text; // how text becomes ids, JSON: `moss-speech.voice.text`. Read in lib/text/voice.ts

    static VoiceInfo load(const GgufFile & file, const VoiceConfig & config);
};

} // namespace moss
