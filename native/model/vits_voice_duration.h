// Duration predictors of an imported voice: VITS' stochastic one, run in reverse from noise, or the plain one.

#pragma once

#include "vits_prosody.h"
#include "vits_voice_config.h"

#include "../graph/conv.h"
#include "../graph/layers.h"

#include <optional>
#include <vector>

namespace moss {

/// Residual layers, each of a dilated depth-wise and a point-wise convolution with layer norm and GELU after each
/// (VITS' DDSConv).
class DilatedStack {
  public:
    DilatedStack(const VoiceConfig & config, const Weights & weights, const std::string & name);

    ggml_tensor * operator()(Graph & g, ggml_tensor * x) const; // [C, U] -> [C, U]

  private:
    struct Layer {
        PackedConv1d separable;
        LayerNorm separable_norm;
        PackedConv1d point;
        LayerNorm point_norm;
    };
    std::vector<Layer> layers_;
};

class VoiceDuration {
  public:
    VoiceDuration(const VoiceConfig & config, const Weights & weights);

    /// hidden [C, U], speaker [G] or null, noise: two of [1, U] for the stochastic predictor -> ln(frames) [1, U].
    ggml_tensor * operator()(Graph & g, ggml_tensor * hidden, ggml_tensor * speaker, ggml_tensor * noise[2]) const;

  private:
    /// A spline that transforms one channel; its knots are computed from the other channel and the text.
    struct ConvFlow {
        PackedConv1d pre;
        DilatedStack stack;
        PackedConv1d proj;
    };
    struct Stochastic {
        PackedConv1d pre, proj;
        DilatedStack stack;
        std::vector<ConvFlow> flows; // in the order in which the inverse applies them
        float shift, scale;          // of the affine flow at the end
    };
    struct Plain {
        ConvNorm first, second;
        PackedConv1d proj;
    };

    static Stochastic load_stochastic(const VoiceConfig & config, const Weights & weights);
    static Plain load_plain(const VoiceConfig & config, const Weights & weights);
    ggml_tensor * sample(Graph & g, ggml_tensor * hidden, ggml_tensor * condition, ggml_tensor * noise[2]) const;

    const VoiceConfig config_;
    std::optional<Linear> cond_; // for the speaker embedding
    std::optional<Stochastic> stochastic_;
    std::optional<Plain> plain_;
};

} // namespace moss
