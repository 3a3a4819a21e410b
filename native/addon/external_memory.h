#pragma once

#include <napi.h>

#include <cstddef>

namespace moss::addon {

/// Tells V8 how much memory outside of its heap a JavaScript object keeps alive, so that it collects such objects in
/// time: V8 itself only sees some hundred bytes. To be used on the JavaScript thread.
class ExternalMemory {
  public:
    ExternalMemory() = default;
    ExternalMemory(const ExternalMemory &) = delete;
    ExternalMemory & operator=(const ExternalMemory &) = delete;

    /// Sets the current number of bytes. To be set to 0 before the object is destroyed.
    void set(Napi::BasicEnv env, size_t bytes) {
        const auto now = static_cast<int64_t>(bytes);
        if (now != told_) {
            Napi::MemoryManagement::AdjustExternalMemory(env, now - told_);
            told_ = now;
        }
    }

  private:
    int64_t told_ = 0;
};

} // namespace moss::addon
