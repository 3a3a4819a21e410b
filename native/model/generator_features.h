// What the waveform generator is given, frame by frame, from the hidden states and the prosody of the frames
// (training/networks/generator_features.py): residual blocks of dilated convolutions behind norms that the speaker
// scales and shifts.

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
        std::vector<Window> windows; // of each block's convolution
        std::vector<Delay> inputs;   // of each block, until its convolution has seen enough
    };

    /// Hidden states and prosody (pitch where voiced, voicing, energy) of the next frames, x [C + 3, T] (null: none),
    /// and the speaker's vector [G] -> the generator's features [F, T'] or null.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * x, ggml_tensor * speaker, bool last) const;

  private:
    struct Block {
        Linear condition; // [G] -> gain and shift [2 C]
        PackedConv1d conv, out;
    };

    int64_t size_;
    PackedConv1d pre_, out_;
    std::vector<Block> blocks_;
};

} // namespace moss
