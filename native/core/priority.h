// Threads that compute stand back for those that answer: the event loop first of all.

#pragma once

namespace moss {

/// Lowers the calling thread's priority a little: where there are as many threads that compute as cores, one that wakes
/// for a moment need not wait for the end of their time slices. On Linux threads that it starts inherit this. Where the
/// system knows no such thing (macOS has classes instead, of which the lower ones run on the slow cores) nothing
/// changes.
void stand_back() noexcept;

} // namespace moss
