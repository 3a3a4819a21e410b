#include "runner.h"

#include "../io/error.h"
#include "../io/ggml_log.h"

#include "ggml-cpu.h"

#include <algorithm>

namespace moss {

namespace {

/// The CPU backend may be a library loaded at run time, so its functions are found by name.
template <class F>
F cpu_function(ggml_backend_dev_t device, const char * name) {
    return reinterpret_cast<F>(ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), name));
}

ggml_backend_dev_t cpu_device() {
    return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
}

} // namespace

void load_backends([[maybe_unused]] const std::string & folder) {
    capture_ggml_log();
#ifdef MOSS_BACKEND_DL
    if (!cpu_device()) {
        ggml_backend_load_all_from_path(folder.c_str());
    }
#endif
    if (!cpu_device()) {
        throw MossError(code::addon, "no CPU backend of ggml in " + folder, {{"path", folder}});
    }
}

Runner::Runner(int threads) : threads_(std::clamp(threads, 1, 256)) {
    ggml_backend_dev_t device = cpu_device();
    backend_ = device ? ggml_backend_dev_init(device, nullptr) : nullptr;
    serial_ = device ? ggml_backend_dev_init(device, nullptr) : nullptr;
    if (!backend_ || !serial_) {
        ggml_backend_free(backend_);
        throw MossError(code::internal, "the CPU backend of ggml cannot be started");
    }
    allocator_ = ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend_));
    const auto set_threads = cpu_function<ggml_backend_set_n_threads_t>(device, "ggml_backend_set_n_threads");
    const auto set_abort = cpu_function<ggml_backend_set_abort_callback_t>(device, "ggml_backend_set_abort_callback");
    const auto cancelled = [](void * flag) { return static_cast<std::atomic<bool> *>(flag)->load(); };
    set_threads(backend_, threads_);
    set_threads(serial_, 1);
    set_abort(backend_, cancelled, &cancel);
    set_abort(serial_, cancelled, &cancel);
    if (threads_ > 1) {
        // Threads of its own, or every graph would start and join new ones. They spin for a few ms after a graph, which
        // spans the gap to a language model's next step, and sleep then.
        ggml_threadpool_params params = ggml_threadpool_params_default(threads_);
        params.poll = 2;
        threadpool_ = cpu_function<decltype(&ggml_threadpool_new)>(device, "ggml_threadpool_new")(&params);
        cpu_function<decltype(&ggml_backend_cpu_set_threadpool)>(device, "ggml_backend_cpu_set_threadpool")(
            backend_, threadpool_);
    }
}

Runner::~Runner() {
    ggml_gallocr_free(allocator_);
    ggml_backend_free(backend_);
    ggml_backend_free(serial_);
    if (threadpool_) {
        cpu_function<decltype(&ggml_threadpool_free)>(cpu_device(), "ggml_threadpool_free")(threadpool_);
    }
}

} // namespace moss
