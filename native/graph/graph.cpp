#include "graph.h"

#include "../io/error.h"

#include <algorithm>
#include <utility>

namespace moss {

namespace {

ggml_tensor * readable(ggml_context * context, ggml_tensor * tensor) {
    // A view shares the memory of another tensor, which the allocator may reuse before the graph ends.
    if (tensor->view_src || !ggml_is_contiguous(tensor) || tensor->type != GGML_TYPE_F32) {
        tensor = tensor->type == GGML_TYPE_F32 ? ggml_cont(context, tensor) : ggml_cast(context, tensor, GGML_TYPE_F32);
    }
    ggml_set_output(tensor);
    return tensor;
}

} // namespace

Graph::Graph(Runner & runner, size_t tensors) : runner_(runner) {
    const size_t size = tensors * ggml_tensor_overhead() + ggml_graph_overhead_custom(tensors, false);
    if (runner.metadata_size_ < size) {
        runner.metadata_size_ = 0;
        runner.metadata_.reset(new uint8_t[size]); // left uninitialised: small graphs touch little of it
        runner.metadata_size_ = size;
    }
    constexpr size_t reserve = 4; // tensors: no ggml function makes more in one call
    most_ = size - std::min(tensors, reserve) * ggml_tensor_overhead();
    context_ = ggml_init({size, runner.metadata_.get(), true});
    if (context_ == nullptr) {
        throw MossError(code::out_of_memory, "no memory for a computation");
    }
    graph_ = ggml_new_graph_custom(context_, tensors, false);
}

Graph::operator ggml_context *() const {
    if (ggml_used_mem(context_) > most_) {
        throw MossError(code::internal, "a computation has more tensors than its network counts");
    }
    return context_;
}

Graph::~Graph() {
    ggml_free(context_);
}

ggml_tensor * Graph::input(ggml_type type, const Shape & shape, const void * data) {
    ggml_tensor * tensor = ggml_new_tensor(*this, type, static_cast<int>(shape.size()), shape.data());
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
    ggml_tensor * copy = ggml_cont(*this, tensor);
    ggml_set_output(copy);
    effect(copy);
    kept_.push_back({to, name, copy});
}

void Graph::output(ggml_tensor * tensor, std::vector<float> & to) {
    tensor = readable(*this, tensor);
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
        if (input.tensor->buffer) { // null if no node reads the input
            ggml_backend_tensor_set(input.tensor, input.data, 0, ggml_nbytes(input.tensor));
        }
    }
    runner_.compute(graph_);
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
