// An imported VITS voice (Piper, transformers' VitsModel): ids of a sentence to waveform.
//
//     const VitsVoice voice(file, weights);
//     VitsVoice::Stream stream(voice, runner, ids, options);
//     for (std::vector<float> audio; !(audio = stream.next()).empty();) play(audio);
//
// A sentence's ids are encoded at once (attention sees all of them, durations likewise). What follows, from the prior's
// samples on, is a stream: every layer keeps the frames that its next outputs see again, so nothing is computed twice
// and memory does not grow with the audio; the samples do not depend on how many frames are computed at a time.

#pragma once

#include "unit_prosody.h"
#include "vits_flow.h"
#include "voice_config.h"
#include "voice_duration.h"
#include "voice_generator.h"
#include "voice_model.h"
#include "voice_text.h"

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
    float noise_scale = 0;  ///< of the prior, 0 .. 2
    float noise_w = 0;      ///< of the durations, 0 .. 2; without effect where they are not stochastic
    float length_scale = 1; ///< multiplies the durations, 0.1 .. 10
    uint64_t seed = 0;      ///< of the noise; equal seeds give equal audio
    int chunk_frames = 32;  ///< frames computed at a time, 1 .. 4096; trades latency against speed

    /// The model's own defaults.
    static VoiceOptions of(const VoiceConfig & config);
};

/// Weights of a voice. Immutable: any number of streams, on any threads.
class VitsVoice : public VoiceModel {
  public:
    static constexpr size_t max_ids = 4096; // attention costs their square

    /// Throws model_format (the key or tensor, expected, found).
    VitsVoice(const GgufFile & file, const Weights & weights);

    const VoiceConfig & config() const { return config_; }

    VoiceFacts facts() const override;
    std::unique_ptr<VoiceStream> open(Runner & runner, const Speaking & speaking, uint64_t seed) const override;

    class Stream;

  private:
    VoiceConfig config_;
    VoiceInfo info_;
    ggml_tensor * speakers_ = nullptr; // [G, speakers]; null: none
    VoiceText text_;
    VoiceDuration duration_;
    Flow flow_;
    VoiceGenerator generator_;
};

/// One sentence under way. Uses its runner only within the constructor and next().
class VitsVoice::Stream {
  public:
    /// Encodes the ids and draws their durations. Throws invalid_argument (no ids, more than max_ids, an id or option
    /// out of range), aborted or out_of_memory.
    /// `prosody` is one an id, in range, or none at all; unsupported: another pitch.
    Stream(const VitsVoice & voice, Runner & runner, const std::vector<int32_t> & ids, const VoiceOptions & options,
           const std::vector<UnitProsody> & prosody = {});
    ~Stream();
    Stream(Stream &&) noexcept;
    Stream & operator=(Stream &&) noexcept;

    /// The next samples at config().sample_rate; none at the end. Throws aborted or out_of_memory; the stream is of no
    /// more use then.
    std::vector<float> next();

    /// Frames of each id.
    const std::vector<int> & durations() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace moss
