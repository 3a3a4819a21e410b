// VITS unit encoder: relative-window attention within a band, post-norm blocks (training/networks/vits_text.py).

#pragma once

#include "vits_block.h"
#include "vits_config.h"

#include "../graph/layers.h"
#include "../graph/window.h"

#include <vector>

namespace moss {

/// Turns units into hidden vectors. A block looks mask_right units ahead in its attention, and kernel / 2 in each of
/// its convolutions.
class UnitEncoder {
  public:
    UnitEncoder(const UnitFramesConfig & config, const Weights & weights);

    class Stream;

    /// Continues a stream with units: ids [U] I32 (null for none), style [S] -> [C, U'] or null.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * ids, ggml_tensor * style, bool last) const;

    int lookahead() const;

  private:
    struct BlockStream;

    ggml_tensor * attend(Graph & g, const VitsBlock & block, BlockStream & stream, ggml_tensor * x, bool last) const;
    static ggml_tensor * feed_forward(Graph & g, const VitsBlock & block, BlockStream & stream, ggml_tensor * x,
                                      bool last);

    const UnitFramesConfig config_;
    ggml_tensor * embd_; // [C, units]
    Linear style_;
    std::vector<VitsBlock> blocks_;
};

struct UnitEncoder::BlockStream {
    BlockStream(const UnitFramesConfig & config, StreamState & state, const std::string & name);

    LeftContext keys, values; // [C, mask_left + mask_right]
    Delay queries;            // inputs of the attention that wait for their last key
    Window ffn_in, ffn_out;
    Delay residual; // inputs of the feed-forward layers that wait for their output
};

/// The state of all blocks.
class UnitEncoder::Stream {
  public:
    Stream(const UnitFramesConfig & config, StreamState & state);

  private:
    friend class UnitEncoder;
    std::vector<BlockStream> blocks_;
};

} // namespace moss
