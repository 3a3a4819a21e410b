#include "failing_memory.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define MOSS_OWN_MALLOC
#endif

namespace {

std::atomic<bool> armed{false};
std::atomic<uint64_t> seen{0};
uint64_t first = 0, end = 0; // the range of allocations that fail
size_t least_bytes = 0;
thread_local int paused = 0;

/// Counts an allocation, and returns whether it must fail.
bool fails(size_t bytes) {
    if (!armed.load(std::memory_order_acquire) || paused > 0 || bytes < least_bytes) {
        return false;
    }
    const uint64_t index = seen++;
    if (index < first || index >= end) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

} // namespace

namespace moss::test {

FailingMemory::FailingMemory(uint64_t passing, uint64_t failing, size_t least) {
    first = passing;
    end = failing > UINT64_MAX - passing ? UINT64_MAX : passing + failing;
    least_bytes = least;
    seen = 0;
    armed.store(true, std::memory_order_release);
}

FailingMemory::~FailingMemory() {
    armed = false;
}

uint64_t FailingMemory::count() {
    return seen;
}

bool FailingMemory::covers_malloc() {
#ifdef MOSS_OWN_MALLOC
    return true;
#else
    return false;
#endif
}

FailingMemory::Pause::Pause() {
    paused++;
}

FailingMemory::Pause::~Pause() {
    paused--;
}

} // namespace moss::test

#ifdef MOSS_OWN_MALLOC

// The standard library's operator new is used, which calls malloc.
#pragma GCC visibility push(default) // so that shared libraries use them
extern "C" {

void * __libc_malloc(size_t size);
void * __libc_calloc(size_t count, size_t size);
void * __libc_realloc(void * old, size_t size);
void * __libc_memalign(size_t alignment, size_t size);

void * malloc(size_t size) noexcept {
    return fails(size) ? nullptr : __libc_malloc(size);
}

void * calloc(size_t count, size_t size) noexcept {
    return fails(count * size) ? nullptr : __libc_calloc(count, size);
}

void * realloc(void * old, size_t size) noexcept {
    return fails(size) ? nullptr : __libc_realloc(old, size);
}

void * aligned_alloc(size_t alignment, size_t size) noexcept {
    return fails(size) ? nullptr : __libc_memalign(alignment, size);
}

int posix_memalign(void ** to, size_t alignment, size_t size) noexcept {
    void * memory = fails(size) ? nullptr : __libc_memalign(alignment, size);
    *to = memory != nullptr ? memory : *to;
    return memory != nullptr ? 0 : ENOMEM;
}

} // extern "C"
#pragma GCC visibility pop

#else

void * operator new(size_t size) {
    void * memory = fails(size) ? nullptr : std::malloc(size > 0 ? size : 1);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

// The sanitizer's own operator would not match the operator delete below.
void * operator new(size_t size, const std::nothrow_t & /*nothrow*/) noexcept {
    return fails(size) ? nullptr : std::malloc(size > 0 ? size : 1);
}

void operator delete(void * memory) noexcept {
    std::free(memory);
}

void operator delete(void * memory, size_t /*size*/) noexcept {
    std::free(memory);
}

#endif
