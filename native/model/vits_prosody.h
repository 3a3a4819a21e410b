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

    DurationPredictor(const DecoderConfig & config, const Weights & weights);

    struct Stream {
        Stream(const DecoderConfig & config, StreamState & state);
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

/// The frame-level network: a trunk of convolutions, the prosody that it predicts, and the statistics of the prior.
class Prosody {
  public:
    static constexpr int embd_kernel = 3;

    Prosody(const DecoderConfig & config, const Weights & weights);

    struct Stream {
        Stream(const DecoderConfig & config, StreamState & state);
        std::vector<Window> trunk;
        Window embd;   // window of the convolution that embeds the prosody
        Delay pending; // frames of the trunk whose prosody is not embedded yet
        Window stats;
    };

    struct Output {
        ggml_tensor * stats = nullptr;   // mean and log deviation of the prior [2 Z, T'], or null
        ggml_tensor * pitch = nullptr;   // standardised ln F0 [1, T], some frames ahead of stats, or null
        ggml_tensor * voicing = nullptr; // 0 .. 1, of the same frames as pitch
    };

    /// Continues the stream with frames [C + 2, T] of the expanded units (null for none). Takes one value for each
    /// predicted pitch from `shifts`, which must outlive the run of the graph.
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
