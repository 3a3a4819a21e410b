#include "addon/addon_data.h"

namespace moss::addon {

std::shared_ptr<Worker> AddonData::new_worker() {
    auto worker = std::make_shared<Worker>([this](Worker & self) {
        dispatcher.post([this, &self](Napi::Env) {
            self.join();
            workers_.erase(&self);
        });
    });
    if (shut_down_) {
        worker->close();
    } else {
        workers_.emplace(worker.get(), worker);
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
