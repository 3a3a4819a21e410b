#pragma once

#include "core/cancel.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace moss::addon {

/// Work for a Worker.
class Task {
  public:
    Task() = default;
    virtual ~Task() = default;
    Task(const Task &) = delete;
    Task & operator=(const Task &) = delete;

    /// Called on the worker's thread, also when the task is cancelled, so that it can settle its promise.
    virtual void run() noexcept = 0;

    /// May be called from any thread.
    virtual void cancel() { token_.cancel(); }
    bool cancelled() const { return token_.cancelled(); }

  protected:
    CancelToken token_;
};

/// A thread that runs tasks one after the other. It ends after close().
class Worker {
  public:
    Worker() = default;
    ~Worker();
    Worker(const Worker &) = delete;
    Worker & operator=(const Worker &) = delete;

    /// To be called before start(). The thread calls `ended` as the last thing it does; the worker can then be joined.
    void at_end(std::function<void()> ended) { ended_ = std::move(ended); }

    /// Starts the thread, once. Throws out_of_threads.
    void start();

    /// Queues a task. Does nothing after close().
    void post(std::shared_ptr<Task> task);

    /// Lets the thread end once it has run all tasks.
    void close();

    /// Cancels the running task and all queued ones.
    void cancel();

    /// Waits until the thread has ended. To be called after close().
    void join();

  private:
    void loop();

    std::function<void()> ended_;
    std::thread thread_;
    std::mutex mutex_; // guards the members below
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Task>> tasks_; // the first one is running
    bool closed_ = false;
};

} // namespace moss::addon
