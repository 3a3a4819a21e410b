#include "addon/addon_data.h"

namespace moss::addon {

std::shared_ptr<Worker> AddonData::new_worker() {
    auto worker = std::make_shared<Worker>([this](Worker & self) {
        // Node delivers it after shut_down() too, which has joined and let go of all of them.
        dispatcher.post([this, id = &self](Napi::Env) {
            const auto found = workers_.find(id);
            if (found != workers_.end()) {
                found->second->join();
                workers_.erase(found);
            }
        });
    });
    if (shut_down_) {
        worker->close();
        return worker;
    }
    const auto added = workers_.emplace(worker.get(), worker).first;
    try {
        worker->start();
    } catch (...) {
        workers_.erase(added);
        throw;
    }
    return worker;
}

void AddonData::shut_down() {
    shut_down_ = true;
    for (const auto & [id, worker] : workers_) {
        worker->cancel();
        worker->close();
    }
    for (const auto & [id, worker] : workers_) {
        worker->join();
    }
    workers_.clear();
}

} // namespace moss::addon
