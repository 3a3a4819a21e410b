#pragma once

#include "addon/dispatcher.h"
#include "addon/worker.h"

#include <map>
#include <memory>

namespace moss::addon {

/// What one environment (the main thread, or a worker_threads worker) has of this addon. There are no other globals.
class AddonData {
  public:
    explicit AddonData(Napi::Env env) : dispatcher(env) {}

    static AddonData & of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }

    /// A thread, which runs, and is joined some time after it has ended, at the latest when the environment shuts down.
    /// Throws out_of_threads: tasks are made after it, as they keep the process alive and the session busy.
    std::shared_ptr<Worker> new_worker();

    /// Stops and joins all threads, at the environment's end. New workers do nothing then.
    void shut_down();

    Dispatcher dispatcher;
    Napi::FunctionReference model_class;
    Napi::FunctionReference session_class;
    Napi::FunctionReference stream_class;

  private:
    /// A thread has ended: joins the one that ended before it, and lets go of that.
    class Ended;

    std::map<Worker *, std::shared_ptr<Worker>> workers_;
    Worker * leaving_ = nullptr; // the last one that has ended
    bool shut_down_ = false;
};

} // namespace moss::addon
