// Hyperparameters of the decoder (training/networks/config.py), its voices and its emotion presets.

#pragma once

#include "voice_model.h"

#include "../io/gguf_file.h"

#include <string>
#include <vector>

namespace moss {

class GgufKeys;

/// Hyperparameters that all decoders of units share, from the units to the prosody of the frames. Keys
/// `moss-speech.decoder.<field>`.
struct UnitFramesConfig {
    int sample_rate = 0; // Hz
    int hop_length = 0;  // samples a frame
    int unit_count = 0;
    int hidden_size = 0;
    int block_count = 0;
    int head_count = 0;
    int ffn_size = 0;
    int ffn_kernel = 0;
    int window_size = 0; // relative positions reach +-window_size units
    int mask_left = 0;   // how many units before a unit the attention of a block sees
    int mask_right = 0;  // how many units after it
    int style_size = 0;
    int gin_channels = 0; // size of the speaker's vector
    int duration_channels = 0;
    int prosody_layers = 0;
    int prosody_kernel = 0;
    float log_f0_mean = 0; // ln Hz
    float log_f0_std = 0;
    int edge_unit = -1;       // added before and after an utterance (nano: the space); -1 for none. Optional key.
    std::vector<bool> pauses; // for each unit, whether it is a silence: the punctuation of moss-speech.units

    /// Throws model_format for a key that is missing, of another type or out of range.
    static UnitFramesConfig load(const GgufKeys & keys);
};

/// Keys `moss-speech.decoder.<field>`.
struct DecoderConfig : UnitFramesConfig {
    int flow_size = 0;
    int flow_count = 0;
    int wavenet_hidden = 0;
    int wavenet_layers = 0;
    int wavenet_kernel = 0;
    int upsample_initial = 0;
    std::vector<int> upsample_rates;
    std::vector<int> upsample_kernels;
    int resblock_type = 0;
    std::vector<int> resblock_kernels;
    std::vector<int> resblock_dilations;
    int subbands = 0;
    int istft_n_fft = 0;
    int istft_hop = 0;
    bool source = false; // whether the head filters pulses and noise, or generates the spectrum. Optional key.

    /// Throws model_format for a key that is missing, of another type or out of range.
    static DecoderConfig load(const GgufFile & file);

    int istft_bins() const { return istft_n_fft / 2 + 1; }
    int spectrum_channels() const { return subbands * 2 * istft_bins(); }
};

/// How an emotion changes the output of the prosody predictor.
struct Emotion {
    std::string name;
    float speed = 1;        ///< factor
    float pitch_shift = 0;  ///< added to ln F0
    float pitch_range = 1;  ///< factor on the deviations of ln F0
    float energy_shift = 0; ///< added to ln energy, in standard deviations
};

/// The voices and emotions of a decoder. Keys `moss-speech.decoder.{voices, voice_languages}` (string arrays),
/// `.voice_gains` (optional floats), `.default_voices` (indices of the English and the Mandarin one), `.emotions`
/// (string array, [0] is neutral) and `.emotion_table` (floats [n][4] in Emotion's order).
struct DecoderPresets {
    std::vector<Voice> voices; // their vectors are in the tensors `decoder.voice.speaker` and `decoder.voice.style`
    std::vector<float> gains;  // factors on the samples that make the voices equally loud; 1 without the key
    int default_voice_en = 0;
    int default_voice_zh = 0;
    std::vector<Emotion> emotions;

    static DecoderPresets load(const GgufFile & file);

    /// The facts of a decoder with these presets.
    VoiceFacts facts(int sample_rate) const;
};

} // namespace moss
