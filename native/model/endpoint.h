// End of turn: the probability that the speaker has finished, from the encoder's states up to a pause
// (training/networks/endpoint.py).

#pragma once

#include "config.h"

#include "../graph/layers.h"

#include <vector>

namespace moss {

class Endpoint {
  public:
    Endpoint(const GgufFile & file, const Weights & weights, int encoder_size);

    const EndpointConfig & config() const { return config_; }

    /// The probability that the turn is complete, from the encoder's hidden states [T, E] of the turn so far, of which
    /// the newest config().frames count. 0 without states.
    float operator()(Runner & runner, const std::vector<float> & states) const;

  private:
    EndpointConfig config_;
    int encoder_size_;
    Linear proj_, score_, up_, out_;
    Conv1d conv_;
    ggml_tensor * age_; // [heads, frames]: added to the scores; the last row is that of the newest frame
};

} // namespace moss
