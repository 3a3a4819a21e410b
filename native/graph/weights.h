// A model's weights: each tensor is read when a network asks for it, and checked against the shape that the network
// expects.

#pragma once

#include "device.h"

#include "../io/gguf_file.h"

#include "ggml-cpp.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace moss {

/// The memory of a model's tensors. It does not depend on the file that they were read from.
struct WeightMemory {
    ggml_context_ptr context;
    std::vector<ggml_backend_buffer_ptr> buffers;
};

/// Loads the tensors of a GGUF file while a model is constructed. Networks ask for their tensors in their constructors,
/// on one thread; afterwards the tensors are immutable and can be shared between threads. A tensor that a network
/// repacks for our kernels is read but not kept.
class Weights {
  public:
    /// For a model that computes on `device`. Checks the type of every tensor and reads none; throws model_format for a
    /// type that cannot be computed with. The file must outlive this object.
    explicit Weights(const GgufFile & file, const Device & device = Device::cpu());

    const Device & device() const { return device_; }

    /// Loads the tensor of that name and shape; a second call returns the same tensor. Throws model_format, which names
    /// the tensor, what was expected and what was found, or out_of_memory.
    ggml_tensor * get(const std::string & name, const Shape & shape) const;

    /// The same for tensors that must be F32: biases, norms and tables.
    ggml_tensor * get_f32(const std::string & name, const Shape & shape) const;

    /// The type of a tensor of that name and shape. Throws model_format.
    ggml_type type(const std::string & name, const Shape & shape) const;

    /// The values of a tensor as floats; the tensor is not kept. Throws model_format.
    std::vector<float> values(const std::string & name, const Shape & shape) const;

    bool has(const std::string & name) const;

    /// Bytes of all tensors in the file whose names begin with `prefix`.
    size_t bytes(const std::string & prefix) const;

    /// Throws model_format if the key `name` makes a stream's state larger than weights of `weight_bytes` can justify:
    /// larger than 64 MB plus eight times their size. A small file could otherwise ask for any amount of memory.
    static void check_state(const std::string & name, double bytes, size_t weight_bytes);

    /// Owns the tensors that were loaded. Whoever keeps the networks must keep this; the file and this object may go.
    std::shared_ptr<const WeightMemory> memory() const { return memory_; }

  private:
    friend class TensorRows;
    const TensorInfo & find(const std::string & name, const Shape & shape) const;

    const GgufFile & file_;
    const Device & device_;
    std::map<std::string, const TensorInfo *> infos_;
    std::shared_ptr<WeightMemory> memory_;
};

/// Reads a tensor [row, rows] a few rows at a time into a buffer that it reuses. A tensor that is repacked for our
/// kernels is then never in memory twice, and no large buffer is freed, whose memory the heap might not give back. The
/// result of a call is valid until the next call.
class TensorRows {
  public:
    /// Throws model_format.
    TensorRows(const Weights & weights, const std::string & name, const Shape & shape);

    ggml_type type() const { return info_.type; }
    /// The bytes of rows first .. first + count, as they are in the file.
    uint8_t * bytes(int64_t first, int64_t count);
    /// The values of rows first .. first + count.
    float * values(int64_t first, int64_t count);

  private:
    const GgufFile & file_;
    const TensorInfo & info_;
    int64_t row_;
    std::vector<uint8_t> bytes_;
    std::vector<float> values_;
};

} // namespace moss
