#include "thread_pool.h"

#include "../io/error.h"

#include "ggml-cpu.h"

#include <algorithm>
#include <string>
#include <thread>

namespace moss {

namespace {

/// The CPU backend may be a library that is loaded at run time, so its functions are looked up by name.
template <class F>
F cpu_function(const char * name) {
    return reinterpret_cast<F>(
        ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(Device::cpu().get()), name));
}

} // namespace

ThreadPool::ThreadPool(int threads, const Device & device) : workspace_(threads) {
    backend_ = ggml_backend_dev_init(device.get(), nullptr);
    if (backend_ == nullptr) {
        throw MossError(code::internal, "the backend of ggml cannot be started");
    }
    // Without a thread pool, ggml starts and joins threads for every graph. The threads of the pool spin for a few ms
    // after a graph, which covers the gap to a language model's next step, and then sleep.
    ggml_threadpool_params params = ggml_threadpool_params_default(threads);
    params.poll = 2;
    threads_ = cpu_function<decltype(&ggml_threadpool_new)>("ggml_threadpool_new")(&params);
    if (threads_ == nullptr) {
        ggml_backend_free(backend_);
        if (threads == 1) { // no thread had to be started
            throw MossError(code::out_of_memory, "no memory for a session");
        }
        throw MossError(code::out_of_threads,
                        "the system gives this process no " + std::to_string(threads) +
                            " threads to compute with: raise its limit (ulimit -u, a container's pids limit), or ask "
                            "for fewer (the option threads)",
                        {{"threads", static_cast<double>(threads)}});
    }
    cpu_function<ggml_backend_set_n_threads_t>("ggml_backend_set_n_threads")(backend_, threads);
    cpu_function<decltype(&ggml_backend_cpu_set_threadpool)>("ggml_backend_cpu_set_threadpool")(backend_, threads_);
    cpu_function<ggml_backend_set_abort_callback_t>("ggml_backend_set_abort_callback")(backend_, stops, this);
}

ThreadPool::~ThreadPool() {
    ggml_backend_free(backend_);
    cpu_function<decltype(&ggml_threadpool_free)>("ggml_threadpool_free")(threads_);
}

bool ThreadPool::stops(void * pool) {
    const auto * self = static_cast<const ThreadPool *>(pool);
    return self->cancel_->load() || self->workspace_.out_of_memory.load();
}

void ThreadPool::run(ggml_cgraph * graph, const std::atomic<bool> & cancel) {
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        ggml_tensor * node = ggml_graph_node(graph, i);
        if (node->op == GGML_OP_CUSTOM) {
            set_workspace(node, &workspace_);
        }
    }
    workspace_.out_of_memory = false;
    cancel_ = &cancel;
    const ggml_status status = ggml_backend_graph_compute(backend_, graph);
    if (workspace_.out_of_memory || status == GGML_STATUS_ALLOC_FAILED) {
        throw MossError(code::out_of_memory, "no memory for a computation");
    }
    if (status == GGML_STATUS_ABORTED) {
        throw MossError(code::aborted, "cancelled");
    }
    if (status != GGML_STATUS_SUCCESS) {
        throw MossError(code::internal, std::string("a computation failed: ") + ggml_status_to_string(status));
    }
}

ThreadPools::ThreadPools(int threads, const Device & device)
    : threads_(threads), device_(device),
      most_(std::max<size_t>(1, std::thread::hardware_concurrency() / static_cast<size_t>(threads))) {
    free_.push_back(add());
}

ThreadPool * ThreadPools::add() {
    pools_.reserve(pools_.size() + 1);
    free_.reserve(pools_.size() + 1); // so that giving a pool back cannot fail
    pools_.push_back(std::make_unique<ThreadPool>(threads_, device_));
    return pools_.back().get();
}

ThreadPools::Lease ThreadPools::lease() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!free_.empty()) {
        ThreadPool * pool = free_.back();
        free_.pop_back();
        return {*this, pool};
    }
    if (pools_.size() < most_) {
        try {
            return {*this, add()};
        } catch (const std::exception &) {
            most_ = pools_.size(); // no threads or no memory: the existing pools must do
        }
    }
    return {*this, nullptr};
}

ThreadPools::Lease::~Lease() {
    if (pool_ != nullptr) {
        const std::lock_guard<std::mutex> lock(pools_->mutex_);
        pools_->free_.push_back(pool_);
    }
}

} // namespace moss
