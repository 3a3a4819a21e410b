// Makes chosen allocations fail, to test how out-of-memory errors are handled.
//
//     FailingMemory memory(41, 1); // 41 allocations pass, the next one fails
//     CHECK_EQ(outcome_of(work), code::out_of_memory);
//
// The test program replaces operator new. With glibc, and without the sanitizers (which replace malloc themselves),
// malloc and related functions can also fail, and so every allocation of ggml.

#pragma once

#include <cstddef>
#include <cstdint>

namespace moss::test {

/// Allocations fail, on all threads, as long as the object lives. Only one may exist at a time.
class FailingMemory {
  public:
    static constexpr uint64_t for_ever = UINT64_MAX;

    /// Allocations of `least` bytes or more are counted: `passing` of them pass, the next `failing` fail.
    FailingMemory(uint64_t passing, uint64_t failing, size_t least = 0);
    ~FailingMemory();
    FailingMemory(const FailingMemory &) = delete;
    FailingMemory & operator=(const FailingMemory &) = delete;

    /// The number of allocations counted so far.
    static uint64_t count();

    /// Whether allocations by malloc, such as ggml's, are counted, too.
    static bool covers_malloc();

    /// As long as it lives, allocations of this thread are neither counted nor fail. For the needs of the test itself.
    class Pause {
      public:
        Pause();
        ~Pause();
        Pause(const Pause &) = delete;
        Pause & operator=(const Pause &) = delete;
    };
};

} // namespace moss::test
