// Residual coupling flow with WaveNet conditioners, run in reverse from the prior to the posterior
// (training/networks/vits_flow.py; VITS' ResidualCouplingBlock with mean_only). Used by nano's decoder and by imported
// voices.
//
// In VITS, the order of the channels is reversed before each layer. Here no data is moved: in every other layer the two
// halves are exchanged, and the weights that read or write them are packed in reversed order.

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
    int kernel = 0;        // odd if the dilation grows
    int dilation_rate = 1; // layer i has the dilation dilation_rate ^ i
    int64_t speaker = 0;   // G; 0 without speaker embedding

    int64_t dilation(int layer) const;
    int64_t left(int layer) const { return (kernel - 1) / 2 * dilation(layer); }
    int64_t right(int layer) const { return kernel / 2 * dilation(layer); }
};

class Flow {
  public:
    /// Tensors `name`.layers.*. Throws model_format.
    Flow(const FlowShape & shape, const Weights & weights, const std::string & name);

    class Stream;

    /// z [Z, T] (null for none), speaker [G] or null -> [Z, T'] or null. With an odd number of layers, the channels of
    /// the result are in reversed order.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * z, ggml_tensor * speaker, bool last) const;

    bool reverses() const { return layers_.size() % 2 == 1; }

  private:
    struct Coupling {
        Coupling(const FlowShape & shape, const Weights & weights, const std::string & name, bool reversed);

        bool reversed; // whether its channels are in reversed order
        PackedConv1d pre;
        std::optional<Linear> cond; // of the speaker
        std::vector<PackedConv1d> inp, rs;
        PackedConv1d post; // negated, because the mean is subtracted
    };
    struct CouplingStream;

    ggml_tensor * couple(Graph & g, const Coupling & layer, CouplingStream & stream, ggml_tensor * z,
                         ggml_tensor * speaker, bool last) const;

    FlowShape shape_;
    std::string name_;
    std::vector<Coupling> layers_; // in the order in which the inverse applies them
};

struct Flow::CouplingStream {
    CouplingStream(const FlowShape & shape, StreamState & state, const std::string & name);

    Delay pending; // frames of z whose mean is not computed yet
    std::vector<Window> inp;
    std::vector<Delay> skips; // sums of the skip outputs that wait for the output of the next layer
};

class Flow::Stream {
  public:
    Stream(const Flow & flow, StreamState & state);

  private:
    friend class Flow;
    std::vector<CouplingStream> layers_;
};

} // namespace moss
