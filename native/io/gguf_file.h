// A GGUF file. Every size in it is checked against the length of the file before ggml's parser or anyone else relies on
// it.

#pragma once

#include "error.h"

#include "ggml.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

struct gguf_context;

namespace moss {

/// A tensor's shape, fastest dimension first, as in ggml: a PyTorch Linear(256, 768) has {256, 768}.
using Shape = std::vector<int64_t>;

/// "[256, 768]"
std::string to_string(const Shape & shape);

/// The description of one tensor in the file.
struct TensorInfo {
    std::string name;
    ggml_type type;
    Shape shape;     // without trailing ones, at least one dimension
    uint64_t offset; // of the tensor's data, from the start of the file
    uint64_t bytes;
};

/// The metadata and, on request, the tensor data of a GGUF file. Immutable once open; safe to share between threads,
/// except for `read`.
class GgufFile {
  public:
    /// Opens a file (path in UTF-8). Throws model_not_found, or model_format if it is not a GGUF file, is truncated or
    /// holds sizes that contradict each other.
    static GgufFile open(const std::string & path);

    /// The same for bytes in memory, which must outlive the object.
    static GgufFile from_memory(const void * data, size_t size);

    GgufFile(GgufFile &&) noexcept;
    GgufFile & operator=(GgufFile &&) noexcept;
    ~GgufFile();

    bool has(const std::string & key) const;

    /// Typed access to a key. Integers of any width and sign are read as int64_t, floats and integers as double.
    /// Throws model_format with the key, what was expected and what was found.
    int64_t get_int(const std::string & key, int64_t low, int64_t high) const; // low <= value <= high
    double get_float(const std::string & key, double low, double high) const;
    bool get_bool(const std::string & key) const;
    std::string get_string(const std::string & key) const;
    std::vector<int64_t> get_ints(const std::string & key, int64_t low, int64_t high) const;
    /// One integer for each of `count` layers. The key holds an array of `count` integers or, as in llama.cpp's files,
    /// one integer for all layers.
    std::vector<int> get_int_each(const std::string & key, int low, int high, int count) const;
    std::vector<double> get_floats(const std::string & key) const;
    std::vector<std::string> get_strings(const std::string & key) const;

    /// All tensors, in the file's order.
    const std::vector<TensorInfo> & tensors() const { return tensors_; }

    /// Returns nullptr if no tensor has that name.
    const TensorInfo * find_tensor(const std::string & name) const;

    /// If set, called before each piece of some megabytes that `read` reads. An exception that it throws ends `read`.
    std::function<void()> before_read;

    /// Copies a tensor's data to `to`, which holds info.bytes.
    void read(const TensorInfo & info, void * to) const;

    /// Copies `count` bytes of a tensor's data, from byte `offset` on. They must lie inside the tensor.
    void read(const TensorInfo & info, uint64_t offset, uint64_t count, void * to) const;

  private:
    struct Source;
    explicit GgufFile(std::unique_ptr<Source> source);

    int64_t require(const std::string & key, const char * expected) const;
    void check_tensors();

    std::unique_ptr<Source> source_;
    std::unique_ptr<gguf_context, void (*)(gguf_context *)> gguf_;
    std::vector<TensorInfo> tensors_;
};

} // namespace moss
