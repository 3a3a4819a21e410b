#pragma once

#include <napi.h>

#include <memory>
#include <mutex>

namespace moss::addon {

/// A callback for the JavaScript thread. It is created in advance on that thread, so that posting it needs no memory.
class Delivery {
  public:
    Delivery() = default;
    virtual ~Delivery() = default;
    Delivery(const Delivery &) = delete;
    Delivery & operator=(const Delivery &) = delete;

    /// Called on the JavaScript thread, in a handle scope.
    virtual void deliver(Napi::Env env) = 0;

  private:
    friend class Dispatcher;
    std::shared_ptr<Delivery> next_; ///< the next delivery in the queue
    bool waits_ = false;
};

/// Runs deliveries from other threads on the JavaScript thread of one environment.
class Dispatcher {
  public:
    explicit Dispatcher(Napi::Env env);
    ~Dispatcher();
    Dispatcher(const Dispatcher &) = delete;
    Dispatcher & operator=(const Dispatcher &) = delete;

    /// Queues a delivery, from any thread. Deliveries run soon and in order; one that is in the queue already is not
    /// queued again. Allocates no memory. Once the environment shuts down, nothing is delivered.
    void post(std::shared_ptr<Delivery> delivery) noexcept;

    /// Keeps the process alive until the matching release(). To be called on the JavaScript thread.
    void hold();
    void release();

  private:
    static void call(Napi::Env env, Napi::Function function, Dispatcher * self, void * data);
    using Queue = Napi::TypedThreadSafeFunction<Dispatcher, void, &Dispatcher::call>;

    std::shared_ptr<Delivery> take() noexcept;
    void deliver_all(Napi::Env env);

    Napi::Env env_;
    Queue queue_;
    int holds_ = 0;

    std::mutex mutex_; // guards the members below
    std::shared_ptr<Delivery> first_;
    Delivery * last_ = nullptr;
    bool called_ = false; ///< the JavaScript thread has been asked to empty the queue
};

} // namespace moss::addon
