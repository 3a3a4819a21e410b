// The threads that compute graphs: those of a model, which its sessions share, and a session's own one.

#pragma once

#include "device.h"

#include "../kernels/cpu/workspace.h"

#include "ggml-backend.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

struct ggml_threadpool;

namespace moss {

/// A backend of ggml with its threads, of which the calling one is the first, and the memory that operations need
/// besides their operands. One graph at a time.
class ThreadPool {
  public:
    /// Of 1 … 256 threads. Throws out_of_threads where the system gives no more of them, or out_of_memory.
    ThreadPool(int threads, const Device & device);
    ~ThreadPool();
    ThreadPool(const ThreadPool &) = delete;
    ThreadPool & operator=(const ThreadPool &) = delete;

    /// Computes a graph whose tensors have memory. When `cancel` becomes true, it stops after the current node. Throws
    /// aborted, out_of_memory or internal.
    void run(ggml_cgraph * graph, const std::atomic<bool> & cancel);

  private:
    /// Whether the running graph is to stop.
    static bool stops(void * pool);

    ggml_backend_t backend_ = nullptr;
    ggml_threadpool * threads_ = nullptr;
    Workspace workspace_;
    const std::atomic<bool> * cancel_ = nullptr; // of the running graph
};

/// The threads that the sessions of a model share. The first pool is there from the start, so that a model that is
/// loaded can compute; where several sessions compute at the same time, more are added, as long as they leave a CPU for
/// each thread and the system gives them. Safe to use from any thread.
class ThreadPools {
  public:
    /// Of `threads` each, 1 … 256. Throws out_of_threads or out_of_memory.
    explicit ThreadPools(int threads, const Device & device = Device::cpu());

    const Device & device() const { return device_; }

    /// Of one pool.
    int threads() const { return threads_; }

    /// The use of a pool, until its end.
    class Lease {
      public:
        ~Lease();
        Lease(const Lease &) = delete;
        Lease & operator=(const Lease &) = delete;

        /// False: all pools are in use.
        explicit operator bool() const { return pool_ != nullptr; }
        ThreadPool * operator->() const { return pool_; }

      private:
        friend class ThreadPools;
        Lease(ThreadPools & pools, ThreadPool * pool) : pools_(&pools), pool_(pool) {}

        ThreadPools * pools_;
        ThreadPool * pool_;
    };

    /// A pool that nobody uses, or none.
    Lease lease();

  private:
    ThreadPool * add();

    const int threads_;
    const Device & device_;
    std::mutex mutex_;                               // of what follows
    size_t most_;                                    // pools
    std::vector<std::unique_ptr<ThreadPool>> pools_; // all
    std::vector<ThreadPool *> free_;                 // those that nobody uses
};

} // namespace moss
