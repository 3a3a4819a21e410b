#include "addon/wraps.h"

#include <utility>

namespace moss::addon {

Napi::Function NativeStream::define(Napi::Env env) {
    return DefineClass(env, "NativeStream",
                       {InstanceMethod<&NativeStream::next>("next"), InstanceMethod<&NativeStream::cancel>("cancel"),
                        InstanceMethod<&NativeStream::stop>("stop")});
}

Napi::Object NativeStream::create(Napi::Env env, std::shared_ptr<StreamTask> task, std::function<void()> cancelled) {
    Napi::Object object = AddonData::of(env).stream_class.New({});
    NativeStream & stream = *Unwrap(object);
    stream.task_ = std::move(task);
    stream.cancelled_ = std::move(cancelled);
    return object;
}

NativeStream::NativeStream(const Napi::CallbackInfo & info) : ObjectWrap(info) {}

NativeStream::~NativeStream() {
    if (task_ && !task_->over()) { // it can no longer be read
        task_->cancel();
        cancelled_();
    }
}

Napi::Value NativeStream::next(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        if (!task_) {
            throw MossError(code::invalid_argument, "streams are made by sessions");
        }
        return task_->next(info.Env(), Napi::Persistent(Value()));
    });
}

void NativeStream::cancel(const Napi::CallbackInfo & info) {
    if (task_ && !task_->over()) {
        task_->abort(info.Env());
        cancelled_();
    }
}

void NativeStream::stop(const Napi::CallbackInfo & info) {
    if (task_ && !task_->over()) {
        task_->abort(info.Env());
    }
}

} // namespace moss::addon
