// Where graphs run: a backend with its threads, and the memory that one graph after another uses.

#pragma once

#include "thread_pool.h"

#include "ggml-alloc.h"

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

/// What one thread computes graphs with. One per session: not safe for two threads at a time.
class Runner {
  public:
    /// Large graphs run on a pool of these, small ones on the calling thread. Throws out_of_memory.
    explicit Runner(std::shared_ptr<ThreadPools> pools);
    /// With pools of its own. `threads` 1 … 256. Throws out_of_threads or out_of_memory.
    explicit Runner(int threads);
    ~Runner();
    Runner(const Runner &) = delete;
    Runner & operator=(const Runner &) = delete;

    const Device & device() const { return pools_->device(); }

    /// Memory of the largest computation so far.
    size_t bytes() const { return ggml_gallocr_get_buffer_size(allocator_, 0); }

    /// When it becomes true, the running graph stops and throws aborted. May be set from any thread.
    std::atomic<bool> cancel{false};

    /// Where not null, every graph adds its named stages here.
    Stages * stages = nullptr;

    /// Where not null, every attention adds here what its heads contribute, by block (layers.h, add_heads).
    Stages * heads = nullptr;

  private:
    friend class Graph;

    /// Computes a graph whose tensors have memory.
    void compute(ggml_cgraph * graph);

    std::shared_ptr<ThreadPools> pools_;
    ThreadPool serial_;                   // the calling thread, for graphs too small for more
    ggml_gallocr_t allocator_ = nullptr;  // of their tensors' memory
    std::unique_ptr<uint8_t[]> metadata_; // tensors of the graph under construction
    size_t metadata_size_ = 0;            // bytes
};

} // namespace moss
