// Text encoder of an imported voice: VITS' transformer with relative positions over a whole sentence, and the
// statistics of the prior.

#pragma once

#include "vits_block.h"
#include "vits_voice_config.h"

#include <vector>

namespace moss {

class VoiceText {
  public:
    VoiceText(const VoiceConfig & config, const Weights & weights);

    struct Output {
        ggml_tensor * hidden; // [C, U]
        ggml_tensor * stats;  // mean and log deviation of the prior [2 Z, U]
    };

    /// ids [U] I32.
    Output operator()(Graph & g, ggml_tensor * ids) const;

  private:
    ggml_tensor * attend(Graph & g, const VitsBlock & block, ggml_tensor * x) const;
    ggml_tensor * feed_forward(Graph & g, const VitsBlock & block, ggml_tensor * x) const;

    const VoiceConfig config_;
    ggml_tensor * embd_; // [C, vocabulary]
    std::vector<VitsBlock> blocks_;
    PackedConv1d proj_;
};

} // namespace moss
