// Prosody predictor (training/networks/vits_prosody.py): the duration of each unit; then, frame by frame, pitch,
// voicing and energy; then the prior's statistics.

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
    /// T frames -> T frames, the kernel odd.
    ggml_tensor * same(Graph & g, ggml_tensor * x) const;

    PackedConv1d conv;
    LayerNorm norm;
};

/// ln(frames) of each unit.
class DurationPredictor {
  public:
    static constexpr int kernel = 3;
    static constexpr int lookahead = 2; // of both convolutions

    DurationPredictor(const DecoderConfig & config, const Weights & weights);

    struct Stream {
        Stream(const DecoderConfig & config, StreamState & state);
        Window first, second;
    };

    /// [C, U] (null: none) -> [1, U'] or null.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * x, bool last) const;

  private:
    ConvNorm first_, second_;
    PackedConv1d proj_;
};

/// Shifts of the pitch, one a frame, from when a frame is expanded until its pitch is predicted.
struct PitchShifts {
    std::deque<float> waiting;  // standardised
    std::vector<float> current; // of the graph that is being computed
};

/// Frame-level trunk, its prosody, and the prior's statistics.
class Prosody {
  public:
    static constexpr int embd_kernel = 3;

    Prosody(const DecoderConfig & config, const Weights & weights);

    struct Stream {
        Stream(const DecoderConfig & config, StreamState & state);
        std::vector<Window> trunk;
        Window embd;   // of the prosody
        Delay pending; // the trunk, until its prosody is embedded
        Window stats;
    };

    struct Output {
        ggml_tensor * stats = nullptr;   // mean and log deviation of the prior [2 Z, T'], or null
        ggml_tensor * pitch = nullptr;   // standardised ln F0 [1, T], a little ahead of the prior, or null
        ggml_tensor * voicing = nullptr; // 0 .. 1, likewise
    };

    /// Frames [C + 2, T] of the expanded units (null: none).
    /// Takes from `shifts`, which must outlive the graph's run, as many as pitches come out.
    Output push(Graph & g, Stream & stream, ggml_tensor * x, const Emotion & emotion, PitchShifts & shifts,
                bool last) const;

  private:
    const DecoderConfig config_;
    PackedConv1d pre_, out_, stats_;
    std::vector<ConvNorm> trunk_;
    PackedConv1d embd_;
    ConvNorm stats_conv_;
};

} // namespace moss
