// An imported VITS voice (Piper, transformers' VitsModel): turns the ids of a sentence into a waveform.
//
//     const VitsVoice voice(file, weights);
//     VitsVoice::Stream stream(voice, runner, ids, options);
//     for (std::vector<float> audio; !(audio = stream.next()).empty();) play(audio);
//
// The ids of a sentence are encoded at once, because text encoder and duration predictor see the whole sentence.
// Everything after sampling from the prior is a stream: every layer keeps the frames that its next outputs need again,
// so that nothing is computed twice and memory does not grow with the audio. The samples do not depend on how many
// frames are computed at a time.

#pragma once

#include "unit_prosody.h"
#include "vits_flow.h"
#include "vits_voice_config.h"
#include "vits_voice_duration.h"
#include "vits_voice_generator.h"
#include "vits_voice_text.h"
#include "voice_model.h"

#include "../graph/runner.h"
#include "../graph/weights.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace moss {

/// How a sentence is spoken.
struct VoiceOptions {
    int speaker = 0;
    float speed = 1;        ///< 0.25 .. 4; divides the durations
    float noise_scale = 0;  ///< scales the noise of the prior, 0 .. 2
    float noise_w = 0;      ///< scales the noise of the durations, 0 .. 2; no effect unless durations are stochastic
    float length_scale = 1; ///< multiplies the durations, 0.1 .. 10
    uint64_t seed = 0;      ///< of the random noise; equal seeds give equal audio
    int chunk_frames = 32;  ///< frames computed at a time, 1 .. 4096; trades latency against speed

    /// The defaults of the model.
    static VoiceOptions of(const VoiceConfig & config);
};

/// The weights of a voice. Immutable: any number of streams, on any threads, may use it.
class VitsVoice : public VoiceModel {
  public:
    static constexpr size_t max_ids = 4096; // the cost of attention grows with the square

    /// Throws model_format, which names the key or tensor, what was expected and what was found.
    VitsVoice(const GgufFile & file, const Weights & weights);

    const VoiceConfig & config() const { return config_; }

    VoiceFacts facts() const override;
    std::unique_ptr<VoiceStream> open(Runner & runner, const Speaking & speaking, uint64_t seed) const override;

    class Stream;

  private:
    VoiceConfig config_;
    VoiceInfo info_;
    ggml_tensor * speakers_ = nullptr; // [G, speakers], or null
    VoiceText text_;
    VoiceDuration duration_;
    Flow flow_;
    VoiceGenerator generator_;
};

/// The synthesis of one sentence. Uses its runner only within the constructor and next().
class VitsVoice::Stream {
  public:
    /// Encodes the ids and samples their durations. `prosody` has one valid value for each id, or is empty. Throws
    /// invalid_argument (no ids, more than max_ids, an id or option out of range), unsupported (a pitch other than 0),
    /// aborted or out_of_memory.
    Stream(const VitsVoice & voice, Runner & runner, const std::vector<int32_t> & ids, const VoiceOptions & options,
           const std::vector<UnitProsody> & prosody = {});
    ~Stream();
    Stream(Stream &&) noexcept;
    Stream & operator=(Stream &&) noexcept;

    /// The next samples, at config().sample_rate; empty at the end. Throws aborted or out_of_memory; after that the
    /// stream must not be used any more.
    std::vector<float> next();

    /// The number of frames of each id.
    const std::vector<int> & durations() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace moss
