// Where graphs run: a backend with its threads, and the memory that one graph after another uses.

#pragma once

#include "ggml-alloc.h"
#include "ggml-backend.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace moss {

/// Loads the backends that stand as libraries in `folder` (the addon's own; no other place is searched) and keeps ggml
/// from writing to stderr. To be called once, before anything else. Throws addon when there
/// is no CPU backend then. Where backends are linked in, the folder is not used.
void load_backends(const std::string & folder);

/// A stage's values over one or more graphs: rows of ne0 values, appended in time order.
struct StageData {
    int64_t ne0 = 0;
    std::vector<float> values;
};

/// Stages by name.
using Stages = std::map<std::string, StageData>;

/// A CPU backend with threads of its own. One per session: not safe for two threads at a time.
class Runner {
  public:
    /// `threads` 1 … 256. Throws internal.
    explicit Runner(int threads);
    ~Runner();
    Runner(const Runner &) = delete;
    Runner & operator=(const Runner &) = delete;

    ggml_backend_t backend() const { return backend_; }
    int threads() const { return threads_; }

    /// When it becomes true, the running graph stops and throws aborted. May be set from any thread.
    std::atomic<bool> cancel{false};

    /// Where not null, every graph adds its named stages here.
    Stages * stages = nullptr;

    /// Where not null, every attention adds here what its heads contribute, by block (layers.h, add_heads).
    Stages * heads = nullptr;

  private:
    friend class Graph;

    ggml_backend_t backend_ = nullptr;
    ggml_backend_t serial_ = nullptr; // one thread, for graphs too small for more
    struct ggml_threadpool * threadpool_ = nullptr;
    ggml_gallocr_t allocator_ = nullptr;
    std::unique_ptr<uint8_t[]> metadata_; // tensors of the graph under construction
    int threads_;
};

} // namespace moss
