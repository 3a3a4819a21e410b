// Computes the input features of the waveform generator from the hidden states and the prosody of the frames
// (training/networks/generator_features.py). The network is a stack of residual blocks: a layer norm whose scale and
// shift come from the speaker's vector, a dilated convolution, GELU, and a pointwise convolution.

#pragma once

#include "feature_config.h"

#include "../graph/conv.h"
#include "../graph/layers.h"
#include "../graph/window.h"

#include <vector>

namespace moss {

class GeneratorFeatures {
  public:
    GeneratorFeatures(const FeatureDecoderConfig & config, const Weights & weights);

    struct Stream {
        Stream(const GeneratorFeatures & network, StreamState & state);
        Window pre;
        std::vector<Window> windows; // input frames of each block's dilated convolution
        std::vector<Delay> inputs;   // input of each block, delayed by the look-ahead of its convolution
    };

    /// x [C + 3, T] is the hidden state and the prosody (pitch if voiced, voicing, energy) of the next frames, or null
    /// if there are none; `speaker` [G] is the speaker's vector. Returns the features [F, T'] that became final, or
    /// null.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * x, ggml_tensor * speaker, bool last) const;

  private:
    struct Block {
        Linear condition; // [G] -> scale and shift [2 C]
        PackedConv1d conv, out;
    };

    int64_t size_;
    PackedConv1d pre_, out_;
    std::vector<Block> blocks_;
};

} // namespace moss
