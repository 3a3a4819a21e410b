// Residual coupling flow with WaveNet conditioners, prior to posterior (training/networks/vits_flow.py, VITS'
// ResidualCouplingBlock with mean only). Serves nano's decoder and imported voices.
//
// A layer reverses the channels first. Here nothing is moved: where the channels stand reversed, the halves change
// places and the weights that read or write them are packed in reverse.

#pragma once

#include "../graph/conv.h"
#include "../graph/layers.h"
#include "../graph/window.h"

#include <optional>
#include <string>
#include <vector>

namespace moss {

struct FlowShape {
    int64_t channels = 0; // Z
    int count = 0;
    int64_t hidden = 0; // H, of the WaveNets
    int layers = 0;
    int kernel = 0;        // odd where the dilation grows
    int dilation_rate = 1; // layer i has dilation rate ^ i
    int64_t speaker = 0;   // G; 0: no condition

    int64_t dilation(int layer) const;
    int64_t left(int layer) const { return (kernel - 1) / 2 * dilation(layer); }
    int64_t right(int layer) const { return kernel / 2 * dilation(layer); }
};

class Flow {
  public:
    /// Tensors `name`.layers.*. Throws model_format.
    Flow(const FlowShape & shape, const Weights & weights, const std::string & name);

    class Stream;

    /// z [Z, T] (null: none), speaker [G] or null -> [Z, T'] or null. With an odd count the channels come out reversed.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * z, ggml_tensor * speaker, bool last) const;

    bool reverses() const { return layers_.size() % 2 == 1; }

  private:
    struct Coupling {
        Coupling(const FlowShape & shape, const Weights & weights, const std::string & name, bool reversed);

        bool reversed; // its channels stand in reverse
        PackedConv1d pre;
        std::optional<Linear> cond; // of the speaker
        std::vector<PackedConv1d> inp, rs;
        PackedConv1d post; // negated: the mean is subtracted
    };
    struct CouplingStream;

    ggml_tensor * couple(Graph & g, const Coupling & layer, CouplingStream & stream, ggml_tensor * z,
                         ggml_tensor * speaker, bool last) const;

    FlowShape shape_;
    std::string name_;
    std::vector<Coupling> layers_; // in the order of the inverse
};

struct Flow::CouplingStream {
    CouplingStream(const FlowShape & shape, StreamState & state, const std::string & name);

    Delay pending; // z, until its mean is there
    std::vector<Window> inp;
    std::vector<Delay> skips; // the sum of the skip outputs, until the next layer's is there
};

class Flow::Stream {
  public:
    Stream(const Flow & flow, StreamState & state);

  private:
    friend class Flow;
    std::vector<CouplingStream> layers_;
};

} // namespace moss
