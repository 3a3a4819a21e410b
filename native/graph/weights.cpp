#include "weights.h"

#include "../io/quantize.h"

#include <algorithm>

namespace moss {

namespace {

/// The types with which the CPU backend can multiply: those that we write, and the others that llama.cpp writes.
bool is_readable(ggml_type type) {
    switch (type) {
    case GGML_TYPE_IQ1_S:
    case GGML_TYPE_IQ1_M:
    case GGML_TYPE_IQ2_XXS:
    case GGML_TYPE_IQ2_XS:
    case GGML_TYPE_IQ2_S:
    case GGML_TYPE_IQ3_XXS:
    case GGML_TYPE_IQ3_S:
    case GGML_TYPE_IQ4_NL:
    case GGML_TYPE_IQ4_XS:
    case GGML_TYPE_TQ1_0:
    case GGML_TYPE_TQ2_0:
    case GGML_TYPE_MXFP4:
        return true;
    default:
        return is_weight_type(type);
    }
}

/// Tensors are copied to another device in pieces of this many bytes.
constexpr uint64_t piece_size = 4 << 20;

Shape trimmed(Shape shape) {
    while (shape.size() > 1 && shape.back() == 1) {
        shape.pop_back();
    }
    return shape;
}

} // namespace

Weights::Weights(const GgufFile & file, const Device & device)
    : file_(file), device_(device), memory_(std::make_shared<WeightMemory>()) {
    if (file.tensors().empty()) {
        throw model_format_error("tensors", "some", "none");
    }
    for (const TensorInfo & info : file.tensors()) {
        if (!is_readable(info.type)) {
            throw model_format_error(info.name, "F32, F16, BF16, Q4_0 … Q8_0, Q2_K … Q6_K, IQ1 … IQ4, TQ or MXFP4",
                                     ggml_type_name(info.type));
        }
        infos_[info.name] = &info;
    }
    memory_->context.reset(ggml_init({file.tensors().size() * ggml_tensor_overhead(), nullptr, true}));
    if (!memory_->context) {
        throw MossError(code::out_of_memory, "no memory for the model's weights");
    }
}

bool Weights::has(const std::string & name) const {
    return infos_.count(name) > 0;
}

const TensorInfo & Weights::find(const std::string & name, const Shape & shape) const {
    const Shape expected = trimmed(shape);
    const auto found = infos_.find(name);
    if (found == infos_.end()) {
        throw model_format_error(name, "a tensor of shape " + to_string(expected), "no such tensor");
    }
    if (trimmed(found->second->shape) != expected) {
        throw model_format_error(name, "shape " + to_string(expected),
                                 "shape " + to_string(trimmed(found->second->shape)));
    }
    return *found->second;
}

ggml_tensor * Weights::get(const std::string & name, const Shape & shape) const {
    const TensorInfo & info = find(name, shape);
    if (ggml_tensor * known = ggml_get_tensor(memory_->context.get(), name.c_str())) {
        return known;
    }
    ggml_tensor * tensor =
        ggml_new_tensor(memory_->context.get(), info.type, static_cast<int>(info.shape.size()), info.shape.data());
    ggml_set_name(tensor, name.c_str());
    ggml_backend_buffer_type_t memory = device_.buffer_type();
    ggml_backend_buffer_ptr buffer(
        ggml_backend_buft_alloc_buffer(memory, ggml_backend_buft_get_alloc_size(memory, tensor)));
    if (!buffer) {
        throw MossError(code::out_of_memory, "no memory for the model's weights");
    }
    ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    ggml_backend_tensor_alloc(buffer.get(), tensor, ggml_backend_buffer_get_base(buffer.get()));
    if (ggml_backend_buffer_is_host(buffer.get())) {
        file_.read(info, ggml_get_data(tensor));
    } else {
        std::vector<uint8_t> piece;
        for (uint64_t offset = 0; offset < info.bytes; offset += piece.size()) {
            piece.resize(std::min<uint64_t>(info.bytes - offset, piece_size));
            file_.read(info, offset, piece.size(), piece.data());
            ggml_backend_tensor_set(tensor, piece.data(), offset, piece.size());
        }
    }
    memory_->buffers.push_back(std::move(buffer));
    return tensor;
}

ggml_tensor * Weights::get_f32(const std::string & name, const Shape & shape) const {
    const ggml_type type = this->type(name, shape);
    if (type != GGML_TYPE_F32) {
        throw model_format_error(name, "type f32", std::string("type ") + ggml_type_name(type));
    }
    return get(name, shape);
}

ggml_type Weights::type(const std::string & name, const Shape & shape) const {
    return find(name, shape).type;
}

std::vector<float> Weights::values(const std::string & name, const Shape & shape) const {
    const TensorInfo & info = find(name, shape);
    std::vector<uint8_t> bytes(info.bytes);
    file_.read(info, bytes.data());
    return dequantize(info.type, bytes.data(), bytes.size());
}

size_t Weights::bytes(const std::string & prefix) const {
    size_t sum = 0;
    for (const auto & [name, info] : infos_) {
        sum += name.compare(0, prefix.size(), prefix) == 0 ? info->bytes : 0;
    }
    return sum;
}

void Weights::check_state(const std::string & name, double bytes, size_t weight_bytes) {
    constexpr double megabyte = 1 << 20;
    const double most = 64 * megabyte + 8 * static_cast<double>(weight_bytes);
    if (bytes > most) {
        const auto shown = [](double value) { return std::to_string(static_cast<int64_t>(value / megabyte)) + " MB"; };
        throw model_format_error(name, "a state of up to " + shown(most) + ", in proportion to the weights",
                                 shown(bytes));
    }
}

TensorRows::TensorRows(const Weights & weights, const std::string & name, const Shape & shape)
    : file_(weights.file_), info_(weights.find(name, shape)), row_(shape.front()) {}

uint8_t * TensorRows::bytes(int64_t first, int64_t count) {
    const size_t size = ggml_row_size(info_.type, row_);
    bytes_.resize(std::max(bytes_.size(), size * static_cast<size_t>(count)));
    file_.read(info_, size * static_cast<size_t>(first), size * static_cast<size_t>(count), bytes_.data());
    return bytes_.data();
}

float * TensorRows::values(int64_t first, int64_t count) {
    const size_t blocks = static_cast<size_t>(count * (row_ / ggml_blck_size(info_.type)));
    values_.resize(std::max(values_.size(), static_cast<size_t>(count * row_)));
    dequantize(info_.type, bytes(first, count), blocks, values_.data());
    return values_.data();
}

} // namespace moss
