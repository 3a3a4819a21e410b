// A model's weights: read once, checked against what the network expects, never changed.

#pragma once

#include "../io/gguf_file.h"

#include "ggml-cpp.h"

#include <string>

namespace moss {

/// All tensors of a GGUF file in one buffer of the CPU backend. Immutable and safe to share between threads.
class Weights {
  public:
    /// Reads every tensor. Throws model_format (a type that cannot be computed with) or out_of_memory.
    explicit Weights(const GgufFile & file);

    /// The tensor of that name and shape. Throws model_format with tensor, expected and found.
    ggml_tensor * get(const std::string & name, const Shape & shape) const;

    /// The same, but its type may also be I8.
    ggml_tensor * get_any(const std::string & name, const Shape & shape) const;

    /// The same for what must be F32: biases, norms, tables.
    ggml_tensor * get_f32(const std::string & name, const Shape & shape) const;

    bool has(const std::string & name) const;

    /// Bytes of all tensors whose names begin with `prefix`.
    size_t bytes(const std::string & prefix) const;

  private:
    ggml_context_ptr context_;
    ggml_backend_buffer_ptr buffer_;
};

} // namespace moss
