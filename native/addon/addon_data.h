#pragma once

#include "addon/dispatcher.h"
#include "addon/worker.h"

#include <map>
#include <memory>

namespace moss::addon {

/// The addon's data for one environment (the main thread, or a worker_threads worker). There are no other globals.
class AddonData {
  public:
    explicit AddonData(Napi::Env env) : dispatcher(env) {}

    static AddonData & of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }

    /// Starts a thread. It is joined some time after it has ended, at the latest when the environment shuts down.
    /// Throws out_of_threads. Tasks keep the process alive and the session busy, so they are made only after their
    /// thread.
    std::shared_ptr<Worker> new_worker();

    /// Stops and joins all threads when the environment shuts down. Workers made afterwards do nothing.
    void shut_down();

    Dispatcher dispatcher;
    Napi::FunctionReference model_class;
    Napi::FunctionReference session_class;
    Napi::FunctionReference stream_class;
    Napi::FunctionReference speech_detector_class;

  private:
    /// Delivered when a thread has ended: joins and frees the thread that ended before it.
    class Ended;

    std::map<Worker *, std::shared_ptr<Worker>> workers_;
    Worker * leaving_ = nullptr; // the last worker that has reported its end, not yet joined
    bool shut_down_ = false;
};

} // namespace moss::addon
