#pragma once

#include "addon/addon_data.h"
#include "addon/convert.h"
#include "addon/worker.h"

#include <deque>
#include <exception>
#include <optional>

namespace moss::addon {

/// Work that nobody waits for.
class Errand : public Task {
  public:
    explicit Errand(std::function<void()> work) : work_(std::move(work)) {}
    /// What it throws (there was no memory) is lost: nobody waits for it, and what is to be freed is freed all the
    /// same.
    void run() noexcept override;

  private:
    std::function<void()> work_;
};

/// Work with one result: a promise.
class PromiseTask : public Task, public Delivery, public std::enable_shared_from_this<PromiseTask> {
  public:
    /// Makes the result's JavaScript value, on the JavaScript thread.
    using Result = std::function<Napi::Value(Napi::Env)>;
    using Work = std::function<Result(CancelToken &)>;

    /// Keeps the process alive until it has settled.
    PromiseTask(Napi::Env env, Work work);

    Napi::Promise promise() const { return deferred_.Promise(); }
    /// JavaScript thread: settled or cancelled.
    bool over() const { return settled_ || cancelled(); }

    void run() noexcept override;
    void deliver(Napi::Env env) override;

  private:
    AddonData & data_;
    Napi::Promise::Deferred deferred_;
    Work work_;
    Result result_; // with the next one, of the thread until it is delivered
    std::exception_ptr failure_;
    bool settled_ = false;
};

/// Runs work on a thread of its own.
Napi::Promise promise_of(Napi::Env env, PromiseTask::Work work);

/// Work that delivers chunks: an asynchronous queue, computed at most `capacity` chunks ahead of its reader. The chunk
/// with timings is the last.
class StreamTask : public Task, public Delivery, public std::enable_shared_from_this<StreamTask> {
  public:
    static constexpr size_t capacity = 16;
    using Work = std::function<void(const Receiver &, CancelToken &)>;

    /// `finished`, if any, is called on the JavaScript thread just before the last chunk is delivered.
    StreamTask(Napi::Env env, Work work, std::function<void()> finished = nullptr)
        : data_(AddonData::of(env)), work_(std::move(work)), on_finished_(std::move(finished)) {}

    /// JavaScript thread. The process stays alive while somebody waits, and so does `owner`.
    Napi::Promise next(Napi::Env env, Napi::ObjectReference owner);
    /// JavaScript thread. Cancels, and rejects those who wait.
    void abort(Napi::Env env);
    /// JavaScript thread: the last chunk or the error has been delivered, or nobody wants them any more.
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

    std::mutex mutex_; // of the next three
    std::condition_variable room_;
    std::deque<Chunk> chunks_;
    std::exception_ptr failure_; // comes after chunks_

    std::deque<Waiting> waiting_; // JavaScript thread
    bool finished_ = false;       // JavaScript thread: the last chunk has been read
    bool failed_ = false;         // JavaScript thread: the failure has been read
};

} // namespace moss::addon
