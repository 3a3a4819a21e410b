#pragma once

#include <napi.h>

#include <functional>

namespace moss::addon {

/// Brings results from other threads to the JavaScript thread of one environment.
class Dispatcher {
  public:
    /// Runs on the JavaScript thread, in a handle scope.
    using Callback = std::function<void(Napi::Env)>;

    explicit Dispatcher(Napi::Env env);

    /// From any thread: calls back soon, in order. Once the environment shuts down, the callback is dropped.
    void post(Callback callback);

    /// JavaScript thread: the process stays alive while there are more holds than releases.
    void hold();
    void release();

  private:
    static void call(Napi::Env env, Napi::Function function, std::nullptr_t * context, Callback * callback);
    using Queue = Napi::TypedThreadSafeFunction<std::nullptr_t, Callback, &Dispatcher::call>;

    Napi::Env env_;
    Queue queue_;
    int holds_ = 0;
};

} // namespace moss::addon
