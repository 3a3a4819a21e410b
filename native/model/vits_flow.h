// Residual coupling flow with WaveNet conditioners, prior to posterior (training/networks/vits_flow.py).
//
// A layer reverses the channels first. Here nothing is moved: where the channels stand reversed, the halves change
// places and the weights that read or write them are packed in reverse.

#pragma once

#include "vits_config.h"

#include "../graph/conv.h"
#include "../graph/layers.h"
#include "../graph/window.h"

#include <vector>

namespace moss {

class Flow {
  public:
    Flow(const DecoderConfig & config, const Weights & weights);

    class Stream;

    /// z [Z, T] (null: none), g [G] -> [Z, T'] or null. With an odd flow_count the channels come out reversed.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * z, ggml_tensor * speaker, bool last) const;

    bool reverses() const { return layers_.size() % 2 == 1; }

  private:
    struct Coupling {
        Coupling(const DecoderConfig & config, const Weights & weights, const std::string & name, bool reversed);

        bool reversed; // its channels stand in reverse
        PackedConv1d pre;
        Linear cond;
        std::vector<PackedConv1d> inp, rs;
        PackedConv1d post; // negated: the mean is subtracted
    };
    struct CouplingStream;

    ggml_tensor * couple(Graph & g, const Coupling & layer, CouplingStream & stream, ggml_tensor * z,
                         ggml_tensor * speaker, bool last) const;

    const DecoderConfig config_;
    std::vector<Coupling> layers_; // in the order of the inverse
};

struct Flow::CouplingStream {
    CouplingStream(const DecoderConfig & config, StreamState & state, const std::string & name);

    Delay pending; // z, until its mean is there
    std::vector<Window> inp;
    std::vector<Delay> skips; // the sum of the skip outputs, until the next layer's is there
};

class Flow::Stream {
  public:
    Stream(const DecoderConfig & config, StreamState & state);

  private:
    friend class Flow;
    std::vector<CouplingStream> layers_;
};

} // namespace moss
