#include "endpoint.h"

#include <algorithm>

namespace moss {

Endpoint::Endpoint(const GgufFile & file, const Weights & weights, int encoder_size)
    : config_(EndpointConfig::load(file)), encoder_size_(encoder_size),
      proj_(weights, "endpoint.proj", encoder_size, config_.hidden),
      score_(weights, "endpoint.score", config_.hidden, config_.heads),
      up_(weights, "endpoint.up", int64_t{config_.heads} * config_.hidden, config_.feed_forward),
      out_(weights, "endpoint.out", config_.feed_forward, 1),
      conv_(weights, "endpoint.conv", Conv1dShape{config_.hidden, config_.hidden, config_.kernel_size}),
      age_(weights.get_f32("endpoint.age", {config_.heads, config_.frames})) {}

float Endpoint::operator()(Runner & runner, const std::vector<float> & states) const {
    const int64_t all = static_cast<int64_t>(states.size()) / encoder_size_;
    const int64_t frames = std::min<int64_t>(all, config_.frames);
    if (frames == 0) {
        return 0;
    }
    Graph g(runner);
    ggml_tensor * x =
        g.input(GGML_TYPE_F32, {encoder_size_, frames}, states.data() + (all - frames) * int64_t{encoder_size_});
    x = g.stage(proj_(g, x, Activation::gelu), "endpoint.proj"); // [H, T]
    Conv1dOptions options;
    options.left = config_.kernel_size - 1;
    options.output = {Activation::gelu};
    options.residual = x;
    x = g.stage(conv_(g, x, options), "endpoint.conv"); // [H, T]
    const size_t first = static_cast<size_t>(config_.frames - frames) * age_->nb[1];
    ggml_tensor * age = ggml_view_2d(g, age_, config_.heads, frames, age_->nb[1], first);
    ggml_tensor * scores = ggml_add(g, score_(g, x), age);                               // [heads, T]
    ggml_tensor * weights = ggml_soft_max(g, ggml_cont(g, ggml_transpose(g, scores)));   // [T, heads]
    ggml_tensor * pooled = ggml_mul_mat(g, ggml_cont(g, ggml_transpose(g, x)), weights); // [H, heads]
    pooled = g.stage(pooled, "endpoint.pooled");
    x = up_(g, ggml_reshape_2d(g, pooled, int64_t{config_.heads} * config_.hidden, 1), Activation::gelu);
    std::vector<float> probability;
    g.output(g.stage(ggml_sigmoid(g, out_(g, x)), "endpoint.probability"), probability);
    g.run();
    return probability.front();
}

} // namespace moss
