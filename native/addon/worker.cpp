#include "addon/worker.h"

#include "core/priority.h"
#include "io/error.h"

#include <system_error>
#include <utility>

namespace moss::addon {

Worker::~Worker() {
    cancel();
    close();
    join();
}

void Worker::start() {
    try {
        thread_ = std::thread(&Worker::loop, this);
    } catch (const std::system_error &) {
        throw MossError(code::out_of_threads,
                        "the system gives this process no more threads: raise its limit (ulimit -u, a container's pids "
                        "limit), or use fewer sessions at a time");
    }
}

void Worker::post(std::shared_ptr<Task> task) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) {
        return;
    }
    tasks_.push_back(std::move(task));
    changed_.notify_one();
}

void Worker::close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    changed_.notify_one();
}

void Worker::cancel() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const std::shared_ptr<Task> & task : tasks_) {
        task->cancel();
    }
}

void Worker::join() {
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Worker::loop() {
    stand_back();
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return closed_ || !tasks_.empty(); });
        if (tasks_.empty()) {
            break;
        }
        const std::shared_ptr<Task> task = tasks_.front();
        lock.unlock();
        task->run();
        lock.lock();
        tasks_.pop_front();
    }
    lock.unlock();
    ended_();
}

} // namespace moss::addon
