#include "graph.h"

#include "../kernels/cpu/work.h"

#include <stdexcept>
#include <utility>

namespace moss {

namespace {

ggml_tensor * readable(ggml_context * context, ggml_tensor * tensor) {
    // A view's memory belongs to another tensor, which may be given away before the graph ends.
    if (tensor->view_src || !ggml_is_contiguous(tensor) || tensor->type != GGML_TYPE_F32) {
        tensor = tensor->type == GGML_TYPE_F32 ? ggml_cont(context, tensor) : ggml_cast(context, tensor, GGML_TYPE_F32);
    }
    ggml_set_output(tensor);
    return tensor;
}

/// Threads meet at a barrier after every node: on an idle machine for a microsecond, on a busy one until the scheduler
/// brings the last of them back. So nodes must be long: this many multiplications take 5 to 40 µs.
constexpr double work_for_threads = 5e5;

/// A single row waits for every weight to come from memory: its multiplications take as long as so many of those that
/// find theirs in the cache.
constexpr double wait_for_memory = 8;

/// Multiplications a node, on average.
double work_a_node(ggml_cgraph * graph) {
    double work = 0;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        const ggml_tensor * node = ggml_graph_node(graph, i);
        if (node->op == GGML_OP_MUL_MAT) {
            const double product = double(node->src[0]->ne[0]) * double(ggml_nelements(node));
            work += product * (node->ne[1] == 1 ? wait_for_memory : 1);
        } else if (node->op == GGML_OP_CUSTOM) {
            work += work_of(node);
        }
    }
    return work / ggml_graph_n_nodes(graph);
}

} // namespace

Graph::Graph(Runner & runner) : runner_(runner) {
    const size_t most = max_nodes * ggml_tensor_overhead() + ggml_graph_overhead_custom(max_nodes, false);
    if (!runner.metadata_) {
        runner.metadata_.reset(new uint8_t[most]); // not set to zero: small graphs touch little of it
    }
    context_ = ggml_init({most, runner.metadata_.get(), true});
    graph_ = ggml_new_graph_custom(context_, max_nodes, false);
}

Graph::~Graph() {
    ggml_free(context_);
}

ggml_tensor * Graph::input(ggml_type type, const Shape & shape, const void * data) {
    ggml_tensor * tensor = ggml_new_tensor(context_, type, static_cast<int>(shape.size()), shape.data());
    ggml_set_input(tensor);
    inputs_.push_back({tensor, data});
    return tensor;
}

ggml_tensor * Graph::input(const Shape & shape, std::vector<float> values) {
    constants_.push_back(std::move(values));
    return input(GGML_TYPE_F32, shape, constants_.back().data());
}

ggml_tensor * Graph::stage(ggml_tensor * tensor, const std::string & name) {
    ggml_set_name(tensor, name.c_str());
    if (runner_.stages) {
        keep(runner_.stages, name, tensor);
    }
    return tensor;
}

void Graph::heads(ggml_tensor * tensor, const std::string & name) {
    keep(runner_.heads, name, tensor);
}

void Graph::keep(Stages * to, const std::string & name, ggml_tensor * tensor) {
    ggml_tensor * copy = ggml_cont(context_, tensor);
    ggml_set_output(copy);
    effect(copy);
    kept_.push_back({to, name, copy});
}

void Graph::output(ggml_tensor * tensor, std::vector<float> & to) {
    tensor = readable(context_, tensor);
    effect(tensor);
    outputs_.push_back({tensor, &to});
}

void Graph::effect(ggml_tensor * tensor) {
    ggml_build_forward_expand(graph_, tensor);
}

void Graph::run() {
    if (!ggml_gallocr_alloc_graph(runner_.allocator_, graph_)) {
        throw MossError(code::out_of_memory, "no memory for a computation");
    }
    for (const Input & input : inputs_) {
        if (input.tensor->buffer) { // null where nothing reads it
            ggml_backend_tensor_set(input.tensor, input.data, 0, ggml_nbytes(input.tensor));
        }
    }
    const bool threads = runner_.threads_ > 1 && work_a_node(graph_) >= work_for_threads;
    const ggml_status status = ggml_backend_graph_compute(threads ? runner_.backend_ : runner_.serial_, graph_);
    if (status == GGML_STATUS_ABORTED) {
        throw MossError(code::aborted, "cancelled");
    }
    if (status != GGML_STATUS_SUCCESS) {
        throw MossError(code::internal, std::string("a computation failed: ") + ggml_status_to_string(status));
    }
    for (const Output & output : outputs_) {
        output.to->resize(static_cast<size_t>(ggml_nelements(output.tensor)));
        ggml_backend_tensor_get(output.tensor, output.to->data(), 0, ggml_nbytes(output.tensor));
    }
    for (const auto & [to, name, tensor] : kept_) {
        StageData & data = (*to)[name];
        data.ne0 = tensor->ne[0];
        const size_t old = data.values.size();
        data.values.resize(old + static_cast<size_t>(ggml_nelements(tensor)));
        ggml_backend_tensor_get(tensor, data.values.data() + old, 0, ggml_nbytes(tensor));
    }
}

} // namespace moss
