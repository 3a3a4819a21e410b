// The voices of a decoder of units, with the vectors that its networks are conditioned on, and its emotion presets.

#pragma once

#include "vits_config.h"
#include "voice_model.h"

#include "../graph/weights.h"

#include <vector>

namespace moss {

class DecoderVoices {
  public:
    /// Throws model_format, which names the key or tensor, what was expected and what was found.
    DecoderVoices(const UnitFramesConfig & config, const GgufFile & file, const Weights & weights);

    const DecoderPresets & presets() const { return presets_; }

    /// How one utterance is spoken, which the options of all decoders of units have in common.
    struct Choice {
        int voice = 0;          ///< index into DecoderPresets::voices
        std::vector<float> mix; ///< the share of each voice in place of `voice`: 0 .. 1, together 1; or empty
        int emotion = 0;        ///< index into DecoderPresets::emotions
        float speed = 1;        ///< 0.25 .. 4; multiplied with the emotion's
        int chunk_frames = 32;  ///< frames computed at a time, 1 .. 4096; trades latency against speed

        /// Takes over what a caller has chosen.
        void take(const Speaking & speaking) {
            voice = speaking.voice;
            mix = speaking.mix;
            emotion = speaking.emotion;
            speed = speaking.speed;
        }
    };
    /// Throws invalid_argument for what is out of range. Returns the emotion.
    const Emotion & check(const Choice & choice) const;

    /// The share of each voice in a choice that has been checked.
    std::vector<float> shares(const Choice & choice) const;
    /// The vectors [S] of a mixture of voices.
    std::vector<float> speaker(const std::vector<float> & shares) const { return mixed(speakers_, shares); }
    std::vector<float> style(const std::vector<float> & shares) const { return mixed(styles_, shares); }

  private:
    static std::vector<float> mixed(const ggml_tensor * table, const std::vector<float> & shares);

    DecoderPresets presets_;
    ggml_tensor * speakers_; // [S, voices]
    ggml_tensor * styles_;   // [S, voices]
};

} // namespace moss
