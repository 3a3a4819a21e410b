#include "vits_block.h"

namespace moss {

VitsBlock::VitsBlock(const VitsBlockShape & shape, const Weights & weights, const std::string & name)
    : q(load_conv1d(weights, name + ".attn.q", {shape.hidden, shape.hidden})),
      k(load_conv1d(weights, name + ".attn.k", {shape.hidden, shape.hidden})),
      v(load_conv1d(weights, name + ".attn.v", {shape.hidden, shape.hidden})),
      o(load_conv1d(weights, name + ".attn.o", {shape.hidden, shape.hidden})),
      rel_k(weights.get_f32(name + ".attn.rel_k", {shape.hidden / shape.heads, 2 * shape.window + 1})),
      rel_v(weights.get_f32(name + ".attn.rel_v", {shape.hidden / shape.heads, 2 * shape.window + 1})),
      attn_norm(weights, name + ".attn_norm", shape.hidden, shape.norm_epsilon),
      ffn_norm(weights, name + ".ffn_norm", shape.hidden, shape.norm_epsilon),
      ffn_in(load_conv1d(weights, name + ".ffn_in", {shape.hidden, shape.ffn, shape.ffn_kernel})),
      ffn_out(load_conv1d(weights, name + ".ffn_out", {shape.ffn, shape.hidden, shape.ffn_kernel})) {}

} // namespace moss
