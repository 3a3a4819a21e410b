#include "addon/addon_data.h"

namespace moss::addon {

class AddonData::Ended : public Delivery {
  public:
    Ended(AddonData & data, Worker * worker) : data_(data), worker_(worker) {}

    void deliver(Napi::Env /*env*/) override {
        // Node delivers it after shut_down() too, which has joined and let go of all of them.
        const auto found = data_.workers_.find(worker_);
        if (found != data_.workers_.end()) {
            found->second->join();
            data_.workers_.erase(found);
        }
    }

  private:
    AddonData & data_;
    Worker * worker_;
};

std::shared_ptr<Worker> AddonData::new_worker() {
    auto worker = std::make_shared<Worker>();
    worker->at_end([this, ended = std::make_shared<Ended>(*this, worker.get())] { dispatcher.post(ended); });
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
