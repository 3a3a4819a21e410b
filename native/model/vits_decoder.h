// The decoder: turns units into a waveform (training/networks/vits.py), at once or as a stream.
//
//     const VitsDecoder decoder(file, weights);
//     VitsDecoder::Stream stream(decoder, runner, {});
//     play(stream.push(units, count)); // as often as units come
//     play(stream.finish());
//
// There is one code path: a whole utterance is a stream in one piece. Every layer keeps the frames that its next
// outputs need again, so that nothing is computed twice, memory does not grow, and the audio does not depend on how the
// units arrive (up to rounding errors of 1e-4).

#pragma once

#include "decoder_voices.h"
#include "unit_frames.h"
#include "unit_prosody.h"
#include "vits_config.h"
#include "vits_flow.h"
#include "vits_generator.h"
#include "vits_prosody.h"
#include "voice_model.h"

#include "../graph/runner.h"
#include "../graph/weights.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace moss {

/// How a stream speaks.
struct DecoderOptions : DecoderVoices::Choice {
    DecoderOptions() { chunk_frames = 64; }

    uint64_t seed = 0;          ///< of the random noise; equal seeds give equal audio
    float noise_scale = 0.667F; ///< scales the noise of the prior, 0 .. 2: how lively the voice is
};

/// The weights of the decoder. Immutable: any number of streams, on any threads, may use it.
class VitsDecoder : public VoiceModel {
  public:
    /// Throws model_format, which names the key or tensor, what was expected and what was found.
    VitsDecoder(const GgufFile & file, const Weights & weights);

    const DecoderConfig & config() const { return config_; }

    VoiceFacts facts() const override;
    std::unique_ptr<VoiceStream> open(Runner & runner, const Speaking & speaking, uint64_t seed) const override;

    /// As UnitFrames::lookahead_units().
    int lookahead_units() const { return units_.lookahead_units(); }

    class Stream;

  private:
    DecoderConfig config_;
    DecoderVoices voices_;
    Linear speaker_;
    UnitFrames units_;
    Prosody prosody_;
    Flow flow_;
    Generator generator_;
};

/// The synthesis of one utterance. Uses its runner only within push() and finish().
class VitsDecoder::Stream {
  public:
    /// Throws invalid_argument for options out of range.
    Stream(const VitsDecoder & decoder, Runner & runner, const DecoderOptions & options);
    ~Stream();
    Stream(Stream &&) noexcept;
    Stream & operator=(Stream &&) noexcept;

    /// Continues the utterance with units (ids of the unit inventory). Returns the audio that has become final, at
    /// config().sample_rate; often none. A unit takes at most 10 s. Throws invalid_argument (an id out of range, or a
    /// call after finish()), aborted or out_of_memory; after the latter two the stream must not be used any more.
    /// `prosody` has one valid value for each unit, or is null.
    std::vector<float> push(const int32_t * units, size_t count, const UnitProsody * prosody = nullptr);
    std::vector<float> push(const std::vector<int32_t> & units) { return push(units.data(), units.size()); }

    /// Ends the utterance and returns the rest of the audio; empty if no units were pushed.
    std::vector<float> finish();

    /// The frames of each unit whose duration has been predicted, including the edge units; for tests.
    const std::vector<int> & durations() const;
    /// The sample at which each unit so far ends.
    std::vector<size_t> ends() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace moss
