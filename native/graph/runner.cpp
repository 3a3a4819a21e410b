#include "runner.h"

#include "../io/error.h"
#include "../io/ggml_log.h"

#include "../kernels/cpu/work.h"

namespace moss {

namespace {

/// Threads wait for each other after every node: for a microsecond on an idle machine, on a busy one until the
/// scheduler runs the last of them again. So threads pay only where nodes are long. This many multiplications take 5 to
/// 40 µs.
constexpr double work_for_threads = 5e5;

/// A product with a single position waits for every weight to come from memory: each of its multiplications takes as
/// long as this many with a weight that is in the cache.
constexpr double wait_for_memory = 8;

/// The average number of multiplications in a node.
double work_a_node(ggml_cgraph * graph) {
    double work = 0;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        const ggml_tensor * node = ggml_graph_node(graph, i);
        if (node->op == GGML_OP_MUL_MAT) {
            const double product = double(node->src[0]->ne[0]) * double(ggml_nelements(node));
            work += product * (node->ne[1] == 1 ? wait_for_memory : 1);
        } else if (node->op == GGML_OP_CUSTOM) {
            work += work_of(node);
        }
    }
    return work / ggml_graph_n_nodes(graph);
}

} // namespace

void load_backends([[maybe_unused]] const std::string & folder) {
    capture_ggml_log();
#ifdef MOSS_BACKEND_DL
    if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) == nullptr) {
        ggml_backend_load_all_from_path(folder.c_str());
    }
#endif
    if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) == nullptr) {
        throw MossError(code::addon, "no CPU backend of ggml in " + folder, {{"path", folder}});
    }
}

Runner::Runner(int threads) : Runner(std::make_shared<ThreadPools>(threads)) {}

Runner::Runner(std::shared_ptr<ThreadPools> pools)
    : pools_(std::move(pools)), serial_(1, pools_->device()),
      allocator_(ggml_gallocr_new(pools_->device().buffer_type())) {
    if (allocator_ == nullptr) {
        throw MossError(code::out_of_memory, "no memory for a session");
    }
}

Runner::~Runner() {
    ggml_gallocr_free(allocator_);
}

void Runner::compute(ggml_cgraph * graph) {
    if (pools_->threads() > 1 && work_a_node(graph) >= work_for_threads) {
        if (const ThreadPools::Lease pool = pools_->lease()) {
            pool->run(graph, cancel);
            return;
        }
    }
    serial_.run(graph, cancel);
}

} // namespace moss
