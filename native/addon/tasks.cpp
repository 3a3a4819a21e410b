#include "addon/tasks.h"

#include <utility>

namespace moss::addon {

PromiseTask::PromiseTask(Napi::Env env, Work work)
    : data_(AddonData::of(env)), deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)) {
    data_.dispatcher.hold();
}

void PromiseTask::run() noexcept {
    Result result;
    std::optional<Failure> failure;
    try {
        if (cancelled()) {
            throw MossError(code::aborted, "cancelled");
        }
        result = work_(token_);
    } catch (...) {
        failure = Failure::current();
    }
    work_ = nullptr; // what it holds is freed here, not on the JavaScript thread
    data_.dispatcher.post(
        [self = shared_from_this(), result = std::move(result), failure = std::move(failure)](Napi::Env env) {
            self->settled_ = true;
            self->data_.dispatcher.release();
            if (failure) {
                self->deferred_.Reject(failure->to_js(env).Value());
            } else {
                self->deferred_.Resolve(result(env));
            }
        });
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
            failure_ = Failure{code::aborted, "cancelled", {}};
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
        fail(Failure::current());
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
    data_.dispatcher.post([self = shared_from_this()](Napi::Env env) { self->settle(env); });
}

void StreamTask::fail(Failure && failure) {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!failure_) {
            failure_ = std::move(failure);
        }
    }
    data_.dispatcher.post([self = shared_from_this()](Napi::Env env) { self->settle(env); });
}

void StreamTask::settle(Napi::Env env) {
    while (!waiting_.empty()) {
        std::optional<Chunk> chunk;
        std::optional<Failure> failure;
        if (!finished_) {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!chunks_.empty()) {
                chunk = std::move(chunks_.front());
                chunks_.pop_front();
                room_.notify_one();
            } else if (failure_) {
                failure = failure_;
            } else {
                return; // nothing yet
            }
        }
        const Waiting waiting = std::move(waiting_.front());
        waiting_.pop_front();
        data_.dispatcher.release();
        if (failure) {
            failed_ = true;
            waiting.deferred.Reject(failure->to_js(env).Value());
        } else if (chunk) {
            finished_ = chunk->timings.has_value();
            if (finished_ && on_finished_) {
                on_finished_();
            }
            waiting.deferred.Resolve(to_js(env, *chunk, finished_));
        } else {
            waiting.deferred.Resolve(to_js(env, Chunk(), true));
        }
    }
}

} // namespace moss::addon
