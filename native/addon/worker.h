#pragma once

#include "core/cancel.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace moss::addon {

/// Something for a Worker to do.
class Task {
  public:
    Task() = default;
    virtual ~Task() = default;
    Task(const Task &) = delete;
    Task & operator=(const Task &) = delete;

    /// On the worker's thread. Runs even when cancelled, so that it can tell whoever waits for it.
    virtual void run() noexcept = 0;

    /// From any thread.
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

    /// Before start(): `ended` is called on the thread as its last act: the worker is to be joined.
    void at_end(std::function<void()> ended) { ended_ = std::move(ended); }

    /// Starts the thread, once. Throws out_of_threads.
    void start();

    /// After close(): does nothing.
    void post(std::shared_ptr<Task> task);

    /// Lets the thread end when it has run what was posted.
    void close();

    /// Cancels what runs and what waits.
    void cancel();

    /// Waits for the thread's end, after close().
    void join();

  private:
    void loop();

    std::function<void()> ended_;
    std::thread thread_;
    std::mutex mutex_; // of what follows
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Task>> tasks_; // the first one is running
    bool closed_ = false;
};

} // namespace moss::addon
