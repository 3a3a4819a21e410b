import type { NativeChunk, NativeStream } from './binding.js'
import { abortedBy } from './errors.js'
import type { TextCodec } from './model.js'

/** Text that grows id by id; gives what is new in it as soon as its characters are whole. */
export class TextBuilder {
  #ids: number[] = []
  text = ''
  constructor(private readonly codec: TextCodec | undefined) {}

  async add(ids: Int32Array | undefined, last: boolean): Promise<string> {
    if (ids) this.#ids.push(...ids)
    if (!this.codec || this.#ids.length === 0) return ''
    const whole = await this.codec.decode(Int32Array.from(this.#ids))
    if (whole.endsWith('\ufffd') && !last) return '' // a character whose other bytes are still to come
    const fresh = whole.slice(this.text.length)
    this.text = whole
    return fresh
  }
}

/** The chunks of a native stream; cancels it when the signal aborts or the loop is left. */
export async function* chunksOf(
  start: () => NativeStream,
  signal: AbortSignal,
): AsyncGenerator<NativeChunk, void, void> {
  if (signal.aborted) throw abortedBy(signal)
  const stream = start()
  const cancel = (): void => stream.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  let done = false
  try {
    while (!done) {
      const chunk = await stream.next()
      done = chunk.done
      yield chunk
    }
  } catch (thrown) {
    done = true
    throw thrown
  } finally {
    signal.removeEventListener('abort', cancel)
    if (!done) stream.cancel()
  }
}

/** The promise, or the signal's error as soon as it aborts. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  let onAbort: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(abortedBy(signal))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
