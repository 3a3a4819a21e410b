#include "state.h"

#include "../io/error.h"

namespace moss {

StreamState::StreamState(const Device & device, size_t slots)
    : device_(&device), context_(ggml_init({slots * ggml_tensor_overhead(), nullptr, true})) {
    if (!context_) {
        throw MossError(code::out_of_memory, "no memory for a stream's state");
    }
}

ggml_tensor * StreamState::add(const std::string & name, ggml_type type, const Shape & shape) {
    ggml_tensor * tensor = ggml_new_tensor(context_.get(), type, static_cast<int>(shape.size()), shape.data());
    return ggml_set_name(tensor, name.c_str());
}

void StreamState::allocate() {
    if (!ggml_get_first_tensor(context_.get())) {
        return;
    }
    buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(context_.get(), device_->buffer_type()));
    if (!buffer_) {
        throw MossError(code::out_of_memory, "no memory for a stream's state");
    }
    clear();
}

void StreamState::clear() {
    if (buffer_) {
        ggml_backend_buffer_clear(buffer_.get(), 0);
    }
}

size_t StreamState::bytes() const {
    return buffer_ ? ggml_backend_buffer_get_size(buffer_.get()) : 0;
}

} // namespace moss
