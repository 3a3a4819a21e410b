// Prosody predictor (training/networks/vits_prosody.py): the duration of each unit; then pitch, voicing and energy of
// each frame; then the statistics of the prior.

#pragma once

#include "vits_config.h"

#include "../graph/conv.h"
#include "../graph/layers.h"
#include "../graph/window.h"

#include <deque>
#include <vector>

namespace moss {

/// Convolution over time, ReLU, layer norm over channels.
struct ConvNorm {
    ConvNorm(const Weights & weights, const std::string & name, int64_t in, int64_t out, int64_t kernel,
             float epsilon = 1e-5F);

    /// A window of n + kernel - 1 frames -> n frames.
    ggml_tensor * operator()(Graph & g, ggml_tensor * window) const;
    /// With zero padding: T frames -> T frames. The kernel must be odd.
    ggml_tensor * same(Graph & g, ggml_tensor * x) const;

    PackedConv1d conv;
    LayerNorm norm;
};

/// Predicts ln(frames) of each unit.
class DurationPredictor {
  public:
    static constexpr int kernel = 3;
    static constexpr int lookahead = 2; // units, of both convolutions together

    DurationPredictor(const UnitFramesConfig & config, const Weights & weights);

    struct Stream {
        Stream(const UnitFramesConfig & config, StreamState & state);
        Window first, second;
    };

    /// [C, U] (null for none) -> [1, U'] or null.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * x, bool last) const;

  private:
    ConvNorm first_, second_;
    PackedConv1d proj_;
};

/// The pitch shifts of frames that have been expanded and whose pitch has not been predicted yet.
struct PitchShifts {
    std::deque<float> waiting;  // in standard deviations, one for each frame
    std::vector<float> current; // those of the graph that is being computed
};

/// The frame-level trunk, and the pitch, voicing and energy of its frames.
class ProsodyTrunk {
  public:
    ProsodyTrunk(const UnitFramesConfig & config, const Weights & weights);

    struct Stream {
        Stream(const UnitFramesConfig & config, StreamState & state);
        std::vector<Window> layers;
    };

    /// Each null where there are no frames.
    struct Output {
        ggml_tensor * hidden = nullptr;        // [C, T]
        ggml_tensor * pitch = nullptr;         // standardised ln F0 [1, T]
        ggml_tensor * voicing_logit = nullptr; // [1, T]
        ggml_tensor * energy = nullptr;        // standardised ln energy [1, T]
    };

    /// Frames [C + 2, T] of the expanded units (null: none). It takes from `shifts`, which must outlive the run of the
    /// graph, as many as pitches come out.
    Output push(Graph & g, Stream & stream, ggml_tensor * x, const Emotion & emotion, PitchShifts & shifts,
                bool last) const;

  private:
    float log_f0_std_;
    PackedConv1d pre_, out_;
    std::vector<ConvNorm> layers_;
};

/// The trunk, and the statistics of the prior.
class Prosody {
  public:
    static constexpr int embd_kernel = 3;

    Prosody(const DecoderConfig & config, const Weights & weights);

    struct Stream {
        Stream(const DecoderConfig & config, StreamState & state);
        ProsodyTrunk::Stream trunk;
        Window embd;   // of the prosody
        Delay pending; // the trunk, until its prosody is embedded
        Window stats;
    };

    struct Output {
        ggml_tensor * stats = nullptr;   // mean and log deviation of the prior [2 Z, T'], or null
        ggml_tensor * pitch = nullptr;   // standardised ln F0 [1, T], a little ahead of the prior, or null
        ggml_tensor * voicing = nullptr; // 0 .. 1, likewise
    };

    /// As ProsodyTrunk::push().
    Output push(Graph & g, Stream & stream, ggml_tensor * x, const Emotion & emotion, PitchShifts & shifts,
                bool last) const;

  private:
    ProsodyTrunk trunk_;
    PackedConv1d stats_, embd_;
    ConvNorm stats_conv_;
};

} // namespace moss
