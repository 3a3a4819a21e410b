#include "addon/dispatcher.h"

#include <memory>
#include <utility>

namespace moss::addon {

Dispatcher::Dispatcher(Napi::Env env) : env_(env), queue_(Queue::New(env, "moss-speech", 0, 1)) {
    queue_.Unref(env_);
}

void Dispatcher::post(Callback callback) {
    auto owned = std::make_unique<Callback>(std::move(callback));
    if (queue_.NonBlockingCall(owned.get()) == napi_ok) {
        (void) owned.release(); // call() deletes it
    }
}

void Dispatcher::hold() {
    if (holds_++ == 0) {
        queue_.Ref(env_);
    }
}

void Dispatcher::release() {
    if (--holds_ == 0) {
        queue_.Unref(env_);
    }
}

void Dispatcher::call(Napi::Env env, Napi::Function /*function*/, std::nullptr_t * /*context*/, Callback * callback) {
    const std::unique_ptr<Callback> owned(callback);
    if (static_cast<napi_env>(env) == nullptr) {
        return; // shutting down
    }
    try {
        (*owned)(env);
    } catch (const Napi::Error &) {
        // The environment is being terminated (worker.terminate()): nobody is left to tell.
    }
}

} // namespace moss::addon
