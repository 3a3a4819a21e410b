import { getPriority, setPriority } from 'node:os'

/**
 * Lowers the priority of the thread that calls this, as native/core/priority.h does for those that compute. On Linux what is called a
 * process's is a thread's; elsewhere it would be the whole program's, and nothing is done.
 */
export function standBack(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(Math.min(19, getPriority() + 2))
  } catch {
    // Some sandboxes allow no change: all goes on as it is.
  }
}
