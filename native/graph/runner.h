// What graphs run on: a backend with its threads, and memory that each graph reuses.

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

/// Loads ggml's backends from the libraries in `folder` (the addon's own; no other place is searched) and keeps ggml
/// from writing to stderr. Must be called once, before anything else. Throws `addon` if there is no CPU backend
/// afterwards. The folder is not used in builds that link the backends statically.
void load_backends(const std::string & folder);

/// The values of a stage over one or more graphs, in time order: one row of ne0 values a frame.
struct StageData {
    int64_t ne0 = 0;
    std::vector<float> values;
};

/// Stages by name.
using Stages = std::map<std::string, StageData>;

/// Computes graphs, one at a time. Each session has its own: a runner must not be used by two threads at once.
class Runner {
  public:
    /// Large graphs run on one of these thread pools, small ones on the calling thread. Throws out_of_memory.
    explicit Runner(std::shared_ptr<ThreadPools> pools);
    /// Makes a thread pool of its own. `threads` is 1 … 256. Throws out_of_threads or out_of_memory.
    explicit Runner(int threads);
    ~Runner();
    Runner(const Runner &) = delete;
    Runner & operator=(const Runner &) = delete;

    const Device & device() const { return pools_->device(); }

    /// Bytes of memory that the largest graph so far took.
    size_t bytes() const { return ggml_gallocr_get_buffer_size(allocator_, 0); }

    /// When this becomes true, the running graph stops and throws `aborted`. May be set from any thread.
    std::atomic<bool> cancel{false};

    /// If not null, every graph appends its named stages here.
    Stages * stages = nullptr;

    /// If not null, every attention appends here how much its heads contribute, by block (add_heads in layers.h).
    Stages * heads = nullptr;

  private:
    friend class Graph;

    /// Computes a graph whose tensors have been allocated.
    void compute(ggml_cgraph * graph);

    std::shared_ptr<ThreadPools> pools_;
    ThreadPool serial_;                   // only the calling thread, for small graphs
    ggml_gallocr_t allocator_ = nullptr;  // allocates the tensors of each graph
    std::unique_ptr<uint8_t[]> metadata_; // ggml's structs for the graph under construction
    size_t metadata_size_ = 0;            // bytes
};

} // namespace moss
