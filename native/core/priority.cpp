#include "core/priority.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#elif defined(__linux__)
#include <sys/resource.h>
#endif

namespace moss {

void stand_back() noexcept {
#ifdef _WIN32
    SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL);
#elif defined(__linux__)
    // A thread's own, though named after processes. Two steps of nice: two thirds of the weight, where others compete.
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 2);
#endif
}

} // namespace moss
