import type { Session } from 'node:inspector'
import { getHeapStatistics } from 'node:v8'

/** With less garbage than this, collecting it is not worth the time. */
const WORTH_IT = 32 << 20

/**
 * Collects the garbage of this thread now. V8 itself waits until memory is short or the thread has been idle for long.
 * Until then, the arrays from which a large vocabulary was read would stay in memory.
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
    // Node can be built and run without an inspector. V8 then collects the garbage later.
  } finally {
    session?.disconnect()
  }
}
