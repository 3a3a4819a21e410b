#include "weights.h"

#include "io/quantize.h"

#include <algorithm>

namespace moss {

namespace {

constexpr const char * weight_types = "F32, F16, BF16, Q4_0 … Q8_0 or Q2_K … Q6_K";

Shape shape_of(const ggml_tensor * tensor) {
    Shape shape(tensor->ne, tensor->ne + GGML_MAX_DIMS);
    while (shape.size() > 1 && shape.back() == 1) {
        shape.pop_back();
    }
    return shape;
}

} // namespace

Weights::Weights(const GgufFile & file) {
    if (file.tensors().empty()) {
        throw model_format_error("tensors", "some", "none");
    }
    for (const TensorInfo & info : file.tensors()) {
        if (!is_weight_type(info.type) && info.type != GGML_TYPE_I8) {
            throw model_format_error(info.name, weight_types, ggml_type_name(info.type));
        }
    }
    context_.reset(ggml_init({file.tensors().size() * ggml_tensor_overhead(), nullptr, true}));
    for (const TensorInfo & info : file.tensors()) {
        ggml_set_name(ggml_new_tensor(context_.get(), info.type, int(info.shape.size()), info.shape.data()),
                      info.name.c_str());
    }
    ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (!device) {
        throw MossError(code::internal, "no CPU backend is loaded");
    }
    buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(context_.get(), ggml_backend_dev_buffer_type(device)));
    if (!buffer_) {
        throw MossError(code::out_of_memory, "no memory for the model's weights");
    }
    ggml_backend_buffer_set_usage(buffer_.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    for (const TensorInfo & info : file.tensors()) {
        file.read(info, ggml_get_data(ggml_get_tensor(context_.get(), info.name.c_str())));
    }
}

bool Weights::has(const std::string & name) const {
    return ggml_get_tensor(context_.get(), name.c_str()) != nullptr;
}

ggml_tensor * Weights::get_any(const std::string & name, const Shape & shape) const {
    Shape expected = shape;
    while (expected.size() > 1 && expected.back() == 1) {
        expected.pop_back();
    }
    ggml_tensor * tensor = ggml_get_tensor(context_.get(), name.c_str());
    if (!tensor) {
        throw model_format_error(name, "a tensor of shape " + to_string(expected), "no such tensor");
    }
    if (shape_of(tensor) != expected) {
        throw model_format_error(name, "shape " + to_string(expected), "shape " + to_string(shape_of(tensor)));
    }
    return tensor;
}

ggml_tensor * Weights::get(const std::string & name, const Shape & shape) const {
    ggml_tensor * tensor = get_any(name, shape);
    if (tensor->type == GGML_TYPE_I8) {
        throw model_format_error(name, weight_types, "I8, which is for convolutions");
    }
    return tensor;
}

ggml_tensor * Weights::get_f32(const std::string & name, const Shape & shape) const {
    ggml_tensor * tensor = get(name, shape);
    if (tensor->type != GGML_TYPE_F32) {
        throw model_format_error(name, "type f32", std::string("type ") + ggml_type_name(tensor->type));
    }
    return tensor;
}

size_t Weights::bytes(const std::string & prefix) const {
    size_t sum = 0;
    for (ggml_tensor * t = ggml_get_first_tensor(context_.get()); t; t = ggml_get_next_tensor(context_.get(), t)) {
        sum += std::string(t->name).compare(0, prefix.size(), prefix) == 0 ? ggml_nbytes(t) : 0;
    }
    return sum;
}

} // namespace moss
