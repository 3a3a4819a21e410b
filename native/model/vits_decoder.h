// The decoder, units to waveform (training/networks/vits.py), whole or as a stream.
//
//     const VitsDecoder decoder(file, weights);
//     VitsDecoder::Stream stream(decoder, runner, {});
//     play(stream.push(units, count)); // as often as units come
//     play(stream.finish());
//
// There is one code path: a stream in one piece is the whole. Every layer keeps the frames that its next outputs see
// again, so nothing is computed twice, memory does not grow, and the audio does not depend on how the units arrive (up
// to rounding: <= 1e-4).

#pragma once

#include "unit_prosody.h"
#include "vits_config.h"
#include "vits_flow.h"
#include "vits_generator.h"
#include "vits_prosody.h"
#include "vits_text.h"
#include "voice_model.h"

#include "../graph/runner.h"
#include "../graph/weights.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace moss {

/// How a stream speaks.
struct DecoderOptions {
    int voice = 0;              ///< index into voices()
    float speed = 1;            ///< 0.25 .. 4; multiplied with the emotion's
    int emotion = 0;            ///< index into emotions()
    uint64_t seed = 0;          ///< of the noise; equal seeds give equal audio
    float noise_scale = 0.667F; ///< 0 .. 2: liveliness of the voice
    int chunk_frames = 64;      ///< frames computed at a time, 1 .. 4096; trades latency against speed
};

/// Weights of the decoder. Immutable: any number of streams, on any threads.
class VitsDecoder : public VoiceModel {
  public:
    /// Throws model_format (the key or tensor, expected, found).
    VitsDecoder(const GgufFile & file, const Weights & weights);

    const DecoderConfig & config() const { return config_; }
    const std::vector<Voice> & voices() const { return presets_.voices; }
    const std::vector<Emotion> & emotions() const { return presets_.emotions; }

    VoiceFacts facts() const override;
    std::unique_ptr<VoiceStream> open(Runner & runner, const Speaking & speaking, uint64_t seed) const override;

    /// Units that must follow one before its frames can be computed: the look-ahead of all blocks and of the durations.
    int lookahead_units() const;

    class Stream;

  private:
    DecoderConfig config_;
    DecoderPresets presets_;
    ggml_tensor * speakers_; // [S, voices]
    ggml_tensor * styles_;   // [S, voices]
    Linear speaker_;
    UnitEncoder text_;
    DurationPredictor duration_;
    Prosody prosody_;
    Flow flow_;
    Generator generator_;
};

/// One utterance under way. Uses its runner only within push() and finish().
class VitsDecoder::Stream {
  public:
    /// Throws invalid_argument for options out of range.
    Stream(const VitsDecoder & decoder, Runner & runner, const DecoderOptions & options);
    ~Stream();
    Stream(Stream &&) noexcept;
    Stream & operator=(Stream &&) noexcept;

    /// Units to speak (ids of the unit inventory). Returns the audio that became final, at config().sample_rate; often
    /// none. A unit takes at most 10 s. Throws invalid_argument (an id out of range, or after finish()), aborted,
    /// out_of_memory; after the latter two the stream is of no more use.
    /// `prosody` is one a unit, in range, or null.
    std::vector<float> push(const int32_t * units, size_t count, const UnitProsody * prosody = nullptr);
    std::vector<float> push(const std::vector<int32_t> & units) { return push(units.data(), units.size()); }

    /// The rest of the audio; empty when nothing was pushed.
    std::vector<float> finish();

    /// Frames of each unit so far predicted, with those of the edge units; for tests.
    const std::vector<int> & durations() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace moss
