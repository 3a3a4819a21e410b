#include "addon/tasks.h"

#include <utility>

namespace moss::addon {

void Errand::run() noexcept {
    try {
        work_();
    } catch (...) { // NOLINT(bugprone-empty-catch): see the declaration
    }
    work_ = nullptr;
}

PromiseTask::PromiseTask(Napi::Env env, Work work)
    : data_(AddonData::of(env)), deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)) {
    data_.dispatcher.hold();
}

void PromiseTask::run() noexcept {
    try {
        if (cancelled()) {
            throw MossError(code::aborted, "cancelled");
        }
        result_ = work_(token_);
    } catch (...) {
        failure_ = std::current_exception();
    }
    work_ = nullptr; // frees what the function holds on this thread, not on the JavaScript thread
    data_.dispatcher.post(shared_from_this());
}

void PromiseTask::deliver(Napi::Env env) {
    settled_ = true;
    data_.dispatcher.release();
    const Result result = std::move(result_);
    if (!failure_) {
        try {
            deferred_.Resolve(result(env));
            return;
        } catch (const Napi::Error &) {
            throw;
        } catch (...) {
            failure_ = std::current_exception();
        }
    }
    deferred_.Reject(to_error(env, failure_).Value());
}

Napi::Promise promise_of(Napi::Env env, PromiseTask::Work work) {
    const auto worker = AddonData::of(env).new_worker();
    const auto task = std::make_shared<PromiseTask>(env, std::move(work));
    worker->post(task);
    worker->close();
    return task->promise();
}

Napi::Promise StreamTask::next(Napi::Env env, Napi::ObjectReference owner) {
    waiting_.push_back({Napi::Promise::Deferred::New(env), std::move(owner)});
    data_.dispatcher.hold();
    const Napi::Promise promise = waiting_.back().deferred.Promise();
    settle(env);
    return promise;
}

void StreamTask::abort(Napi::Env env) {
    cancel();
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        chunks_.clear();
        if (!failure_) {
            failure_ = std::make_exception_ptr(MossError(code::aborted, "cancelled"));
        }
    }
    settle(env);
}

void StreamTask::cancel() {
    Task::cancel();
    const std::lock_guard<std::mutex> lock(mutex_);
    room_.notify_one();
}

void StreamTask::run() noexcept {
    try {
        work_([this](Chunk && chunk) { receive(std::move(chunk)); }, token_);
    } catch (...) {
        fail(std::current_exception());
    }
    work_ = nullptr;
}

void StreamTask::receive(Chunk && chunk) {
    {
        std::unique_lock<std::mutex> lock(mutex_);
        room_.wait(lock, [this] { return chunks_.size() < capacity || cancelled(); });
        if (cancelled()) {
            throw MossError(code::aborted, "cancelled");
        }
        chunks_.push_back(std::move(chunk));
    }
    data_.dispatcher.post(shared_from_this());
}

void StreamTask::fail(const std::exception_ptr & failure) noexcept {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!failure_) {
            failure_ = failure;
        }
    }
    data_.dispatcher.post(shared_from_this());
}

void StreamTask::settle(Napi::Env env) {
    while (!waiting_.empty()) {
        std::optional<Chunk> chunk;
        std::exception_ptr failure;
        if (!finished_) {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!chunks_.empty()) {
                chunk = std::move(chunks_.front());
                chunks_.pop_front();
                room_.notify_one();
            } else if (failure_) {
                failure = failure_;
            } else {
                return; // no chunk is ready
            }
        }
        const Waiting waiting = std::move(waiting_.front());
        waiting_.pop_front();
        data_.dispatcher.release();
        if (failure) {
            failed_ = true;
            waiting.deferred.Reject(to_error(env, failure).Value());
        } else if (chunk) {
            const bool last = chunk->timings.has_value();
            Napi::Value value;
            try {
                value = to_js(env, *chunk, last);
            } catch (const Napi::Error &) {
                throw;
            } catch (...) { // the chunk cannot be delivered, and so no later one is
                waiting.deferred.Reject(to_error(env, std::current_exception()).Value());
                abort(env);
                return;
            }
            finished_ = last;
            if (finished_ && on_finished_) {
                on_finished_();
            }
            waiting.deferred.Resolve(value);
        } else {
            waiting.deferred.Resolve(to_js(env, Chunk(), true));
        }
    }
}

} // namespace moss::addon
