// The decoder that uses the waveform generator with a harmonic source (training/networks/feature_decoder.py). It
// computes, as a stream, the durations of the units, the prosody of their frames, the generator's features, and the
// audio.
//
// There is one code path, as in VitsDecoder: a whole utterance is a stream in one piece, and the audio does not depend
// on how the units arrive.

#pragma once

#include "decoder_voices.h"
#include "feature_config.h"
#include "generator_features.h"
#include "istft_generator.h"
#include "unit_frames.h"
#include "vits_prosody.h"
#include "voice_model.h"

#include "../graph/runner.h"
#include "../graph/weights.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace moss {

/// How a stream speaks.
struct FeatureDecoderOptions : DecoderVoices::Choice {
    float pause = 1; ///< 0 .. 4, factor on the silences
};

/// The weights of the decoder and of its generator. Immutable: any number of streams, on any threads, may use it.
class FeatureDecoder : public VoiceModel {
  public:
    /// Throws model_format, which names the key or tensor, what was expected and what was found.
    FeatureDecoder(const GgufFile & file, const Weights & weights);

    const FeatureDecoderConfig & config() const { return config_; }

    VoiceFacts facts() const override;
    std::unique_ptr<VoiceStream> open(Runner & runner, const Speaking & speaking, uint64_t seed) const override;

    class Stream;

  private:
    FeatureDecoderConfig config_;
    DecoderVoices voices_;
    Linear speaker_; // [2 S] -> [G]
    UnitFrames units_;
    ProsodyTrunk prosody_;
    GeneratorFeatures features_;
    IstftGenerator generator_;
    std::vector<size_t> generator_voices_; // for each voice, its index in the generator's list of voices
};

/// The synthesis of one utterance. Uses its runner only within push() and finish().
class FeatureDecoder::Stream : public VoiceStream {
  public:
    /// Throws invalid_argument for options out of range.
    Stream(const FeatureDecoder & decoder, Runner & runner, const FeatureDecoderOptions & options);
    ~Stream() override;

    /// A unit takes at most 10 s. After aborted or out_of_memory the stream must not be used any more.
    void push(const int32_t * units, size_t count, const UnitProsody * prosody = nullptr) override;
    void finish() override;
    std::vector<float> next() override;

    /// The number of frames of each unit so far, including the edge units; for tests.
    const std::vector<int> & durations() const;
    std::vector<size_t> ends() const override;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace moss
