// The threads that compute graphs: the pools of a model, which its sessions share, and each session's own thread.

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

/// A ggml backend with its threads (the calling thread is the first of them), and the scratch memory of our operations.
/// It computes one graph at a time.
class ThreadPool {
  public:
    /// `threads` is 1 … 256. Throws out_of_threads if the system cannot start that many, or out_of_memory.
    ThreadPool(int threads, const Device & device);
    ~ThreadPool();
    ThreadPool(const ThreadPool &) = delete;
    ThreadPool & operator=(const ThreadPool &) = delete;

    /// Computes a graph whose tensors have been allocated. When `cancel` becomes true, it stops after the current node.
    /// Throws `aborted`, out_of_memory or `internal`.
    void run(ggml_cgraph * graph, const std::atomic<bool> & cancel);

  private:
    /// ggml's abort callback: whether the running graph is to stop.
    static bool stops(void * pool);

    ggml_backend_t backend_ = nullptr;
    ggml_threadpool * threads_ = nullptr;
    Workspace workspace_;
    const std::atomic<bool> * cancel_ = nullptr; // of the running graph
};

/// The thread pools that the sessions of a model share. The first pool is made with the object, so that a loaded model
/// can always compute. When several sessions compute at the same time, more pools are added, as long as there is a CPU
/// for each thread and the system can start them. Safe to use from any thread.
class ThreadPools {
  public:
    /// Each pool has `threads` threads, 1 … 256. Throws out_of_threads or out_of_memory.
    explicit ThreadPools(int threads, const Device & device = Device::cpu());

    const Device & device() const { return device_; }

    /// The threads of one pool.
    int threads() const { return threads_; }

    /// The exclusive use of a pool, for as long as the lease lives.
    class Lease {
      public:
        ~Lease();
        Lease(const Lease &) = delete;
        Lease & operator=(const Lease &) = delete;

        /// False if all pools are in use.
        explicit operator bool() const { return pool_ != nullptr; }
        ThreadPool * operator->() const { return pool_; }

      private:
        friend class ThreadPools;
        Lease(ThreadPools & pools, ThreadPool * pool) : pools_(&pools), pool_(pool) {}

        ThreadPools * pools_;
        ThreadPool * pool_;
    };

    /// Takes a free pool, making one where that is possible. Empty if there is none.
    Lease lease();

  private:
    ThreadPool * add();

    const int threads_;
    const Device & device_;
    std::mutex mutex_;                               // guards the members below
    size_t most_;                                    // the most pools that may be made
    std::vector<std::unique_ptr<ThreadPool>> pools_; // all pools
    std::vector<ThreadPool *> free_;                 // the pools that no lease holds
};

} // namespace moss
