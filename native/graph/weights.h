// A model's weights: read when a network asks for them, checked against what it expects, never changed.

#pragma once

#include "device.h"

#include "../io/gguf_file.h"

#include "ggml-cpp.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace moss {

/// Tensors in memory of their own, which outlives the file that they were read from.
struct WeightMemory {
    ggml_context_ptr context;
    std::vector<ggml_backend_buffer_ptr> buffers;
};

/// The tensors of a GGUF file while a model is made of them. Networks ask for what they need while they are made, on
/// one thread; afterwards what they got is immutable and safe to share between threads. A tensor that a network repacks
/// for our kernels is not kept.
class Weights {
  public:
    /// Of a model that computes on `device`. Checks the types; reads nothing. The file must outlive all asking. Throws
    /// model_format for a type that cannot be computed with.
    explicit Weights(const GgufFile & file, const Device & device = Device::cpu());

    const Device & device() const { return device_; }

    /// The tensor of that name and shape, in memory of its own; asked for again, the same one. Throws model_format with
    /// tensor, expected and found, or out_of_memory.
    ggml_tensor * get(const std::string & name, const Shape & shape) const;

    /// The same for what must be F32: biases, norms, tables.
    ggml_tensor * get_f32(const std::string & name, const Shape & shape) const;

    /// The type of a tensor of that name and shape. Throws model_format.
    ggml_type type(const std::string & name, const Shape & shape) const;

    /// Its values. Not kept. Throws model_format.
    std::vector<float> values(const std::string & name, const Shape & shape) const;

    bool has(const std::string & name) const;

    /// Bytes of all tensors in the file whose names begin with `prefix`.
    size_t bytes(const std::string & prefix) const;

    /// Refuses a file whose key `name` asks for more memory beside the weights than they can justify: 64 MB and eight
    /// times their own, `weight_bytes`. Throws model_format.
    static void check_state(const std::string & name, double bytes, size_t weight_bytes);

    /// What owns the tensors that were asked for. Whoever keeps networks keeps this, not the file.
    std::shared_ptr<const WeightMemory> memory() const { return memory_; }

  private:
    friend class TensorRows;
    const TensorInfo & find(const std::string & name, const Shape & shape) const;

    const GgufFile & file_;
    const Device & device_;
    std::map<std::string, const TensorInfo *> infos_;
    std::shared_ptr<WeightMemory> memory_;
};

/// A tensor [row, rows], read a few rows at a time into memory that is used again: what is repacked for our kernels is
/// then not in memory twice, and nothing large is freed, which the heap might keep. What a call returns is valid until
/// the next one.
class TensorRows {
  public:
    /// Throws model_format.
    TensorRows(const Weights & weights, const std::string & name, const Shape & shape);

    ggml_type type() const { return info_.type; }
    /// Rows first .. first + count: their bytes in the file.
    uint8_t * bytes(int64_t first, int64_t count);
    /// The same: their values.
    float * values(int64_t first, int64_t count);

  private:
    const GgufFile & file_;
    const TensorInfo & info_;
    int64_t row_;
    std::vector<uint8_t> bytes_;
    std::vector<float> values_;
};

} // namespace moss
