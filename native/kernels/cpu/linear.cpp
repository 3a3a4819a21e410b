#include "linear.h"

#include "conv1d_paths.h"
#include "work.h"

#include <stdexcept>
#include <string>
#include <utility>

namespace moss {

namespace {

void require(bool condition, const std::string & what) {
    if (!condition) {
        throw std::invalid_argument("linear: " + what);
    }
}

struct Parameters {
    Activation activation;
};

void linear_op(ggml_tensor * node, int thread, int threads, void * userdata) {
    with_scratch(node, thread, [&](Scratch & scratch) {
        const auto & weights = *static_cast<const PackedWeights *>(userdata);
        const ggml_tensor * x = node->src[0];
        const auto step = static_cast<int64_t>(x->nb[1] / sizeof(float));
        const Conv1dInput input = {static_cast<const float *>(x->data), x->ne[1], step, 0, {}};
        Conv1dOutput output{};
        output.y = static_cast<float *>(node->data);
        output.channels = node->ne[0];
        output.activation = parameters_of<Parameters>(node).activation;
        run_conv1d(weights, input, output, node->ne[1], thread, threads, scratch);
    });
}

} // namespace

PackedLinear::PackedLinear(std::shared_ptr<const PackedWeights> weights) : weights_(std::move(weights)) {}

PackedLinear::PackedLinear(int64_t in, int64_t out, const WeightRows<float> & weight, const float * bias,
                           ComputeType type)
    : weights_(pack_weights(
          {in, out}, 1, 0, [&](int64_t first, int64_t count) { return SourceRows(weight(first, count), in); }, bias,
          type)) {}

PackedLinear PackedLinear::of_q8_0(int64_t in, int64_t out, const WeightRows<uint8_t> & blocks, const float * bias) {
    require(has_kernel(ComputeType::q8_0, in), "no kernel for Q8_0");
    const auto rows = [&](int64_t first, int64_t count) { return SourceRows::of_q8_0(blocks(first, count), in); };
    return PackedLinear(pack_weights({in, out}, 1, 0, rows, bias, ComputeType::q8_0));
}

ComputeType PackedLinear::type() const {
    return weights_->type();
}

int64_t PackedLinear::in_channels() const {
    return weights_->shape.in_channels;
}

int64_t PackedLinear::out_channels() const {
    return weights_->shape.out_channels;
}

ggml_tensor * linear(ggml_context * context, ggml_tensor * x, const PackedLinear & layer, Activation activation) {
    require(x->type == GGML_TYPE_F32 && x->ne[0] == layer.in_channels() && x->ne[1] > 0 && x->ne[2] == 1 &&
                x->ne[3] == 1 && x->nb[0] == sizeof(float) && x->nb[1] % sizeof(float) == 0,
            "the input must be F32 [" + std::to_string(layer.in_channels()) + ", T], is [" + std::to_string(x->ne[0]) +
                ", " + std::to_string(x->ne[1]) + "]");
    auto * weights = const_cast<PackedWeights *>(layer.weights_.get()); // linear_op does not change them
    ggml_tensor * y = ggml_custom_4d(context, GGML_TYPE_F32, layer.out_channels(), x->ne[1], 1, 1, &x, 1, linear_op,
                                     GGML_N_TASKS_MAX, weights);
    set_parameters(y, Parameters{activation});
    set_work(y, layer.weights_->multiplications(x->ne[1]));
    return y;
}

} // namespace moss
