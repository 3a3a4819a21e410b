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

/// Reads a row of weights in Q8_0 or F32, which are interleaved with those of the neighbouring rows (OutputBlock).
void read_row(const PackedWeights & weights, int64_t row, float * to) {
    const OutputBlock & block = weights.blocks[static_cast<size_t>(row / output_block_channels)];
    const int64_t column = row % output_block_channels, count = weights.shape.in_channels;
    if (weights.type() == ComputeType::f32) {
        const auto * values = reinterpret_cast<const float *>(block.weights) + column;
        for (int64_t i = 0; i < count; i++) {
            to[i] = values[i * output_block_channels];
        }
        return;
    }
    const auto * scales = reinterpret_cast<const ggml_fp16_t *>(block.scales) + column;
    constexpr int64_t lane = lane_values(ComputeType::q8_0);
    const std::byte * lanes = block.weights + column * lane_bytes;
    for (int64_t i = 0; i < count; i++) {
        const auto stored = static_cast<uint8_t>(lanes[i / lane * output_block_channels * lane_bytes + i % lane]);
        const auto value = static_cast<int8_t>(stored - weights.kernel->weight_zero);
        to[i] = ggml_fp16_to_fp32(scales[i / quant_block * output_block_channels]) * static_cast<float>(value);
    }
}

void embeddings_op(ggml_tensor * node, int thread, int threads, void * userdata) {
    const auto & weights = *static_cast<const PackedWeights *>(userdata);
    const auto * ids = static_cast<const int32_t *>(node->src[0]->data);
    for (int64_t i = thread; i < node->ne[1]; i += threads) {
        read_row(weights, ids[i], static_cast<float *>(node->data) + i * node->ne[0]);
    }
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

bool PackedLinear::has_rows() const {
    return (type() == ComputeType::q8_0 || type() == ComputeType::f32) && !weights_->per_channel();
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

ggml_tensor * embeddings(ggml_context * context, ggml_tensor * ids, const PackedLinear & layer) {
    require(layer.has_rows() && ids->type == GGML_TYPE_I32 && ggml_is_vector(ids), "no rows that could be read");
    auto * weights = const_cast<PackedWeights *>(layer.weights_.get()); // embeddings_op does not change them
    return ggml_custom_4d(context, GGML_TYPE_F32, layer.in_channels(), ids->ne[0], 1, 1, &ids, 1, embeddings_op,
                          GGML_N_TASKS_MAX, weights);
}

} // namespace moss
