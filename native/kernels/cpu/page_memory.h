// Large blocks of memory that go back to the system as soon as they are freed.

#pragma once

#include <cstddef>
#include <memory>

namespace moss {

struct FreePages {
    size_t bytes = 0;
    void operator()(std::byte * memory) const noexcept;
};

/// Memory from whole pages of the system.
using PageMemory = std::unique_ptr<std::byte, FreePages>;

/// Zeroed memory, aligned to 64 bytes at least; the system gives its pages when they are first written. It does not
/// come from malloc: glibc keeps freed blocks of up to 32 MB for itself once it has seen such a size, and whatever is
/// allocated behind them holds them there, so that a process which loads models and frees them would grow. Throws
/// std::bad_alloc.
PageMemory zeroed_pages(size_t bytes);

} // namespace moss
