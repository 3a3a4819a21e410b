import { getPriority, setPriority } from 'node:os'

/**
 * Lowers the priority of the calling thread, as native/core/priority.h does for the threads that compute. On Linux,
 * Node's os.setPriority changes only the calling thread. Elsewhere it would change the whole process, so nothing is
 * done.
 */
export function standBack(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(Math.min(19, getPriority() + 2))
  } catch {
    // Some sandboxes do not allow this. The priority is then left as it is.
  }
}
