// Streaming state: a list of named tensors ("slots") that live as long as the stream does.

#pragma once

#include "device.h"

#include "../io/gguf_file.h" // Shape

#include "ggml-cpp.h"

#include <string>

namespace moss {

/// Tensors that keep their values between graphs: graphs read them and write them with ggml_cpy. Add all slots, then
/// call allocate() once.
class StreamState {
  public:
    static constexpr size_t max_slots = 1024;

    /// The slots are allocated in the memory of `device`.
    explicit StreamState(const Device & device, size_t slots = max_slots);

    /// A slot, all zeros after allocate(). Every dimension > 0.
    ggml_tensor * add(const std::string & name, ggml_type type, const Shape & shape);

    /// Throws out_of_memory.
    void allocate();

    /// Sets all slots to zero, as at the start of a stream.
    void clear();

    size_t bytes() const;

  private:
    const Device * device_;
    ggml_context_ptr context_;
    ggml_backend_buffer_ptr buffer_; // null if there are no slots
};

} // namespace moss
