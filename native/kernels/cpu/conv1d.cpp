#include "conv1d.h"

#include "conv1d_paths.h"
#include "work.h"
#include "workspace.h"

#include <stdexcept>
#include <string>

namespace moss {

namespace {

void require(bool condition, const std::string & what) {
    if (!condition) {
        throw std::invalid_argument("conv1d: " + what);
    }
}

/// The parameters of one application of a convolution, besides its weights.
struct Parameters {
    int32_t frames; // output frames of the packed convolution
    int32_t left;
    int32_t into_first;
    float input_slope, output_slope;
    uint8_t input, output; // kinds of activations
    // The index of each among the tensor's sources; for condition and residual, 0 means that there is none.
    uint8_t x, condition, residual;
};

const float * floats(const ggml_tensor * t) {
    return static_cast<const float *>(t->data);
}

/// The number of floats from one row to the next.
int64_t row_step(const ggml_tensor * t) {
    return static_cast<int64_t>(t->nb[1] / sizeof(float));
}

Conv1dInput input_of(const ggml_tensor * node, const Parameters & p) {
    const ggml_tensor * x = node->src[p.x];
    return {floats(x), x->ne[1], row_step(x), p.left, {static_cast<Activation::Kind>(p.input), p.input_slope}};
}

Conv1dOutput output_of(const ggml_tensor * node, const Parameters & p, const PackedWeights & weights) {
    const int64_t channels = weights.shape.out_channels;
    Conv1dOutput output{};
    output.y = static_cast<float *>(node->data) + p.into_first * node->ne[0];
    output.channels = channels;
    output.activation = {static_cast<Activation::Kind>(p.output), p.output_slope};
    output.condition = p.condition > 0 ? floats(node->src[p.condition]) : nullptr;
    output.condition_channels = node->ne[0];
    if (p.residual > 0) {
        const ggml_tensor * residual = node->src[p.residual];
        output.residual = floats(residual);
        output.residual_step = weights.phases > 1 ? channels : row_step(residual); // contiguous with phases
    }
    return output;
}

void conv1d_op(ggml_tensor * node, int thread, int threads, void * userdata) {
    with_scratch(node, thread, [&](Scratch & scratch) {
        const auto & weights = *static_cast<const PackedWeights *>(userdata);
        const auto p = parameters_of<Parameters>(node);
        run_conv1d(weights, input_of(node, p), output_of(node, p, weights), p.frames, thread, threads, scratch);
    });
}

bool is_matrix(const ggml_tensor * t) {
    return t->type == GGML_TYPE_F32 && t->ne[2] == 1 && t->ne[3] == 1 && t->nb[0] == sizeof(float) &&
           t->nb[1] % sizeof(float) == 0;
}

void check(const ggml_tensor * x, const PackedConv1d & conv, const Conv1dOptions & options, int64_t frames) {
    require(is_matrix(x) && x->ne[0] == conv.in_channels(),
            "the input must be F32 [" + std::to_string(conv.in_channels()) + ", T], is [" + std::to_string(x->ne[0]) +
                ", " + std::to_string(x->ne[1]) + "]");
    require(options.left >= 0 && options.right >= 0 && options.left <= INT32_MAX, "negative padding");
    require(frames > 0, "the input is shorter than the kernel");
    require(frames <= INT32_MAX, "too many frames");
    const int64_t channels = conv.out_channels();
    const ggml_tensor * condition = options.condition;
    require(condition == nullptr || (is_matrix(condition) && condition->ne[0] == channels && condition->ne[1] == 1),
            "the condition must be F32 [Cout]");
    const ggml_tensor * residual = options.residual;
    require(residual == nullptr || (is_matrix(residual) && residual->ne[0] == channels && residual->ne[1] == frames),
            "the residual must be F32 [Cout, T']");
    require(residual == nullptr || conv.phases() == 1 || residual->nb[1] == channels * sizeof(float),
            "the residual of a transposed convolution must be contiguous"); // its phases are read as one frame
    const ggml_tensor * into = options.into;
    require(into == nullptr ||
                (is_matrix(into) && into->ne[0] == channels && ggml_is_contiguous(into) && options.into_first >= 0 &&
                 options.into_first + frames <= into->ne[1] && into->ne[1] <= INT32_MAX),
            "what is written to must be contiguous F32 [Cout, N], with room for T' frames");
}

} // namespace

void run_conv1d(const PackedWeights & weights, const Conv1dInput & input, const Conv1dOutput & output, int64_t frames,
                int thread, int threads, Scratch & scratch) {
    const Conv1dPlan plan = plan_conv1d(weights, frames);
    const auto run = weights.per_channel() ? run_per_channel : weights.scheme != nullptr ? run_winograd : run_direct;
    plan.for_each_share(thread, threads,
                        [&](const Conv1dShare & share) { run({weights, plan, input, output}, share, scratch); });
}

ggml_tensor * conv1d(ggml_context * context, ggml_tensor * x, const PackedConv1d & conv,
                     const Conv1dOptions & options) {
    const int64_t frames = conv.out_frames(x->ne[1], options.left, options.right);
    check(x, conv, options, frames);
    const bool inplace = options.into != nullptr; // ggml makes `into` the first source
    ggml_tensor * sources[3] = {x};
    int count = 1;
    const auto add_source = [&](ggml_tensor * source) {
        sources[count] = source;
        return static_cast<uint8_t>(count++ + (inplace ? 1 : 0));
    };
    Parameters parameters{};
    parameters.frames = static_cast<int32_t>(frames / conv.phases());
    parameters.left = static_cast<int32_t>(options.left);
    parameters.input = static_cast<uint8_t>(options.input.kind);
    parameters.input_slope = options.input.slope;
    parameters.output = static_cast<uint8_t>(options.output.kind);
    parameters.output_slope = options.output.slope;
    parameters.x = inplace ? 1 : 0;
    parameters.condition = options.condition != nullptr ? add_source(options.condition) : 0;
    parameters.residual = options.residual != nullptr ? add_source(options.residual) : 0;
    parameters.into_first = inplace ? static_cast<int32_t>(options.into_first) : 0;
    auto * weights = const_cast<PackedWeights *>(conv.weights_.get()); // conv1d_op does not change them
    ggml_tensor * y =
        inplace ? ggml_custom_inplace(context, options.into, sources, count, conv1d_op, GGML_N_TASKS_MAX, weights)
                : ggml_custom_4d(context, GGML_TYPE_F32, conv.out_channels(), frames, 1, 1, sources, count, conv1d_op,
                                 GGML_N_TASKS_MAX, weights);
    set_parameters(y, parameters);
    set_work(y, conv.multiplications(frames));
    return y;
}

ggml_tensor * conv1d_same(ggml_context * context, ggml_tensor * x, const PackedConv1d & conv, Conv1dOptions options) {
    options.left = conv.left();
    options.right = conv.right();
    return conv1d(context, x, conv, options);
}

} // namespace moss
