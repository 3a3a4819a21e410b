import type { Session } from 'node:inspector'
import { getHeapStatistics } from 'node:v8'

/** Below this there is too little to win for the time that it takes. */
const WORTH_IT = 32 << 20

/**
 * Frees at once what this thread no longer needs. V8 does so when it runs short or has long been idle: until then the arrays that a large
 * vocabulary was read from stand in memory beside the weights.
 */
export async function collectGarbage(): Promise<void> {
  if (getHeapStatistics().used_heap_size < WORTH_IT) return
  let session: Session | undefined
  try {
    const inspector = await import('node:inspector')
    const opened = (session = new inspector.Session())
    opened.connect()
    await new Promise<void>(resolve => opened.post('HeapProfiler.collectGarbage', () => resolve()))
  } catch {
    // Node can be built and run without an inspector: then V8 does so later.
  } finally {
    session?.disconnect()
  }
}
