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
    // In spite of its name, PRIO_PROCESS with id 0 sets the nice value of the calling thread only. Two steps reduce the
    // thread's share of a contended CPU to about two thirds.
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 2);
#endif
}

} // namespace moss
