// A lower priority for computing threads, so that threads that must respond quickly, such as the event loop, go first.

#pragma once

namespace moss {

/// Lowers the calling thread's priority a little. When there are as many computing threads as cores, a thread that
/// wakes up for a moment then need not wait for the end of their time slices. On Linux, threads started by the calling
/// thread inherit the priority. Does nothing on macOS, where the lower quality-of-service classes would move the thread
/// to the slow cores.
void stand_back() noexcept;

} // namespace moss
