#pragma once

#include <napi.h>

#include <cstddef>

namespace moss::addon {

/// Tells V8 what memory outside of its heap an object of JavaScript's keeps alive, so that it collects such objects in
/// time: of itself it sees some hundred bytes. JavaScript thread.
class ExternalMemory {
  public:
    ExternalMemory() = default;
    ExternalMemory(const ExternalMemory &) = delete;
    ExternalMemory & operator=(const ExternalMemory &) = delete;

    /// So much there is now; 0 before the object ends.
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
