#include "addon/dispatcher.h"

#include <exception>
#include <utility>

namespace moss::addon {

Dispatcher::Dispatcher(Napi::Env env) : env_(env), queue_(Queue::New(env, "moss-speech", 0, 1, this)) {
    queue_.Unref(env_);
}

Dispatcher::~Dispatcher() {
    while (take()) { // frees them one by one: destroying a long linked list would recurse
    }
}

void Dispatcher::post(std::shared_ptr<Delivery> delivery) noexcept {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (delivery->waits_) {
            return;
        }
        Delivery * const added = delivery.get();
        added->waits_ = true;
        (last_ != nullptr ? last_->next_ : first_) = std::move(delivery);
        last_ = added;
        if (called_) {
            return;
        }
        called_ = true;
    }
    // Only one call is pending at a time, which keeps Node's own queue as short as possible.
    (void) queue_.NonBlockingCall();
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

/// Takes the first delivery from the queue. Null if there is none; the next post() must then call the JavaScript
/// thread.
std::shared_ptr<Delivery> Dispatcher::take() noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<Delivery> delivery = std::move(first_);
    if (!delivery) {
        called_ = false;
        return delivery;
    }
    first_ = std::move(delivery->next_);
    if (!first_) {
        last_ = nullptr;
    }
    delivery->waits_ = false;
    return delivery;
}

void Dispatcher::deliver_all(Napi::Env env) {
    while (const std::shared_ptr<Delivery> delivery = take()) {
        const Napi::HandleScope scope(env);
        try {
            delivery->deliver(env);
        } catch (const Napi::Error &) {
            // The environment is being terminated (worker.terminate()), so the error cannot be reported to anyone.
        }
    }
}

void Dispatcher::call(Napi::Env env, Napi::Function /*function*/, Dispatcher * self, void * /*data*/) {
    if (static_cast<napi_env>(env) != nullptr) { // null while the environment shuts down
        self->deliver_all(env);
    }
}

} // namespace moss::addon
