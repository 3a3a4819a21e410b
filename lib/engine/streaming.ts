import type { NativeChunk, NativeStream } from '../binding.js'
import { abortedBy } from '../errors.js'
import type { TextCodec } from './codec.js'

/** All ids in the window are decoded again with each new id. When the window is full, the last `KEPT` ids stay as context for the next. */
const WINDOW = 48
const KEPT = 8
/** The replacement characters at the end of a decoded text, for a character whose last bytes are still missing. */
const INCOMPLETE = /\ufffd+$/

/** Decodes ids as they arrive. Returns new text as soon as its characters are complete. */
export class TextBuilder {
  #ids: number[] = []
  /** The part of the window's text that has been returned. */
  #shown = ''
  text = ''
  constructor(private readonly codec: TextCodec | undefined) {}

  /** Adds ids and returns the new text. The last call drops the bytes of an incomplete character. */
  async add(ids: Int32Array | undefined, last: boolean): Promise<string> {
    if (ids) this.#ids.push(...ids)
    if (!this.codec || this.#ids.length === 0) return ''
    const decoded = await this.codec.decode(Int32Array.from(this.#ids))
    if (INCOMPLETE.test(decoded) && !last) return ''
    const whole = decoded.replace(INCOMPLETE, '')
    const fresh = whole.slice(this.#shown.length)
    this.text += fresh
    this.#shown = whole
    if (this.#ids.length > WINDOW) {
      this.#ids = this.#ids.slice(-KEPT)
      this.#shown = await this.codec.decode(Int32Array.from(this.#ids))
    }
    return fresh
  }
}

/** Yields the chunks of a native stream. Cancels the stream when the signal aborts or the reader stops. */
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

/** Yields the values of a generator, and calls `done` with its return value. */
export async function* finishing<C, R>(
  generator: AsyncGenerator<C, R, void>,
  done: (result: R) => void,
): AsyncGenerator<C, void, void> {
  done(yield* generator)
}

/** Yields the values of a generator, and calls `waited` with the milliseconds that each one took to arrive. */
export async function* measured<C>(
  chunks: AsyncIterable<C>,
  waited: (ms: number) => void,
): AsyncGenerator<C, void, void> {
  let asked = performance.now()
  for await (const chunk of chunks) {
    waited(performance.now() - asked)
    yield chunk
    asked = performance.now()
  }
}

/** Settles like the promise, or rejects with the signal's error as soon as that aborts. */
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

const LOOK_EVERY = 100 // ms

/** While the work runs, calls `tell` with the value of `read` whenever that has changed. */
export async function watching<T>(work: Promise<T>, read: () => number, tell: (value: number) => void): Promise<T> {
  let last = 0
  const look = (): void => {
    const value = read()
    if (value !== last) tell((last = value))
  }
  const timer = setInterval(look, LOOK_EVERY)
  try {
    const result = await work
    look()
    return result
  } finally {
    clearInterval(timer)
  }
}
