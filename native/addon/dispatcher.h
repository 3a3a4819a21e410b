#pragma once

#include <napi.h>

#include <memory>
#include <mutex>

namespace moss::addon {

/// Something for the JavaScript thread to do. It is made beforehand, there: so whoever has it done needs no memory for
/// it.
class Delivery {
  public:
    Delivery() = default;
    virtual ~Delivery() = default;
    Delivery(const Delivery &) = delete;
    Delivery & operator=(const Delivery &) = delete;

    /// JavaScript thread, in a handle scope.
    virtual void deliver(Napi::Env env) = 0;

  private:
    friend class Dispatcher;
    std::shared_ptr<Delivery> next_; ///< of those that wait
    bool waits_ = false;
};

/// Brings results from other threads to the JavaScript thread of one environment.
class Dispatcher {
  public:
    explicit Dispatcher(Napi::Env env);
    ~Dispatcher();
    Dispatcher(const Dispatcher &) = delete;
    Dispatcher & operator=(const Dispatcher &) = delete;

    /// From any thread: delivers soon, in order; what waits already is delivered once. Takes no memory of its own. Once
    /// the environment shuts down, nothing is delivered.
    void post(std::shared_ptr<Delivery> delivery) noexcept;

    /// JavaScript thread: the process stays alive while there are more holds than releases.
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

    std::mutex mutex_; // of what follows
    std::shared_ptr<Delivery> first_;
    Delivery * last_ = nullptr;
    bool called_ = false; ///< the JavaScript thread will look
};

} // namespace moss::addon
