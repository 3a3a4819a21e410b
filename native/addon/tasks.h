#pragma once

#include "addon/addon_data.h"
#include "addon/values.h"
#include "addon/worker.h"

#include <deque>
#include <exception>
#include <optional>

namespace moss::addon {

/// Work without a result.
class Errand : public Task {
  public:
    explicit Errand(std::function<void()> work) : work_(std::move(work)) {}
    /// Exceptions (out of memory) are ignored: there is nobody to report them to, and what the work was to free is
    /// freed with the task.
    void run() noexcept override;

  private:
    std::function<void()> work_;
};

/// Work with one result, delivered as a promise.
class PromiseTask : public Task, public Delivery, public std::enable_shared_from_this<PromiseTask> {
  public:
    /// Makes the JavaScript value of the result, on the JavaScript thread.
    using Result = std::function<Napi::Value(Napi::Env)>;
    using Work = std::function<Result(CancelToken &)>;

    /// Keeps the process alive until the promise has settled.
    PromiseTask(Napi::Env env, Work work);

    Napi::Promise promise() const { return deferred_.Promise(); }
    /// Whether the task is settled or cancelled. To be called on the JavaScript thread.
    bool over() const { return settled_ || cancelled(); }

    void run() noexcept override;
    void deliver(Napi::Env env) override;

  private:
    AddonData & data_;
    Napi::Promise::Deferred deferred_;
    Work work_;
    Result result_; // like failure_ only for the worker's thread, until it is delivered
    std::exception_ptr failure_;
    bool settled_ = false;
};

/// Runs work on a new thread.
Napi::Promise promise_of(Napi::Env env, PromiseTask::Work work);

/// Work that delivers chunks through an asynchronous queue, at most `capacity` chunks ahead of the reader. The chunk
/// with timings is the last.
class StreamTask : public Task, public Delivery, public std::enable_shared_from_this<StreamTask> {
  public:
    static constexpr size_t capacity = 16;
    using Work = std::function<void(const Receiver &, CancelToken &)>;

    /// `finished`, if not null, is called on the JavaScript thread just before the last chunk is delivered.
    StreamTask(Napi::Env env, Work work, std::function<void()> finished = nullptr)
        : data_(AddonData::of(env)), work_(std::move(work)), on_finished_(std::move(finished)) {}

    /// A promise of the next chunk, on the JavaScript thread. While it is pending, the process and `owner` stay alive.
    Napi::Promise next(Napi::Env env, Napi::ObjectReference owner);
    /// Cancels the work and rejects pending promises. To be called on the JavaScript thread.
    void abort(Napi::Env env);
    /// Whether the last chunk or the error has been delivered, or the task is cancelled. To be called on the JavaScript
    /// thread.
    bool over() const { return finished_ || failed_ || cancelled(); }

    void run() noexcept override;
    void cancel() override;
    void deliver(Napi::Env env) override { settle(env); }

  private:
    struct Waiting {
        Napi::Promise::Deferred deferred;
        Napi::ObjectReference owner;
    };

    void receive(Chunk && chunk);
    void fail(const std::exception_ptr & failure) noexcept;
    void settle(Napi::Env env);

    AddonData & data_;
    Work work_;
    std::function<void()> on_finished_;

    std::mutex mutex_; // guards the next three members
    std::condition_variable room_;
    std::deque<Chunk> chunks_;
    std::exception_ptr failure_; // delivered after chunks_

    std::deque<Waiting> waiting_; // only for the JavaScript thread
    bool finished_ = false;       // only for the JavaScript thread: the last chunk has been read
    bool failed_ = false;         // only for the JavaScript thread: the failure has been read
};

} // namespace moss::addon
