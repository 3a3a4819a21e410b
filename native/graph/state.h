// Streaming state: an explicit list of named slots that live as long as the stream does.

#pragma once

#include "device.h"

#include "../io/gguf_file.h" // Shape

#include "ggml-cpp.h"

#include <string>

namespace moss {

/// Tensors in backend memory that graphs read and, through ggml_cpy, write. Add all slots, then allocate() once.
class StreamState {
  public:
    static constexpr size_t max_slots = 1024;

    /// In the memory of `device`.
    explicit StreamState(const Device & device, size_t slots = max_slots);

    /// A slot, all zeros after allocate(). Every dimension > 0.
    ggml_tensor * add(const std::string & name, ggml_type type, const Shape & shape);

    /// Throws out_of_memory.
    void allocate();

    /// Back to zeros: the stream's start.
    void clear();

    size_t bytes() const;

  private:
    const Device * device_;
    ggml_context_ptr context_;
    ggml_backend_buffer_ptr buffer_; // null without slots
};

} // namespace moss
