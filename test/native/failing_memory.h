// Makes allocations fail, one after the other, to see what becomes of it.
//
//     FailingMemory memory(41, 1); // 41 allocations pass, the next one fails
//     CHECK_EQ(outcome_of(work), code::out_of_memory);
//
// The test program has an operator new of its own. With glibc, and without the sanitizers (which have a malloc of their
// own), malloc and its kin can fail as well, and so every allocation of ggml.

#pragma once

#include <cstddef>
#include <cstdint>

namespace moss::test {

/// From its making to its end, on all threads. One at a time.
class FailingMemory {
  public:
    static constexpr uint64_t for_ever = UINT64_MAX;

    /// Allocations of `least` bytes or more are counted: `passing` of them pass, the next `failing` fail.
    FailingMemory(uint64_t passing, uint64_t failing, size_t least = 0);
    ~FailingMemory();
    FailingMemory(const FailingMemory &) = delete;
    FailingMemory & operator=(const FailingMemory &) = delete;

    /// Those counted so far.
    static uint64_t count();

    /// Whether ggml's allocations, which are C's, are counted too.
    static bool covers_malloc();

    /// Lets what this thread allocates pass uncounted, for as long as it lives: what the test itself needs.
    class Pause {
      public:
        Pause();
        ~Pause();
        Pause(const Pause &) = delete;
        Pause & operator=(const Pause &) = delete;
    };
};

} // namespace moss::test
