#include "addon/addon_data.h"

#include <utility>

namespace moss::addon {

class AddonData::Ended : public Delivery {
  public:
    Ended(AddonData & data, Worker * worker) : data_(data), worker_(worker) {}

    void deliver(Napi::Env /*env*/) override {
        // A thread that reports its end may still be waiting for a processor, so that joining it could block the event
        // loop. The thread that ended before it has left by now, and joining that one takes no time. Node may deliver
        // this after shut_down(), which has joined all threads.
        const auto left = data_.workers_.find(std::exchange(data_.leaving_, worker_));
        if (left != data_.workers_.end()) {
            left->second->join();
            data_.workers_.erase(left);
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
