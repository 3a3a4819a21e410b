import type { NativeChunk, NativeStream } from '../binding.js'
import { abortedBy } from '../errors.js'
import type { TextCodec } from './codec.js'

/** Ids that are decoded anew with each new one; of the older ones, so many stay for what the next ones need of their surroundings. */
const WINDOW = 48
const KEPT = 8
/** What a decoder makes of a character whose other bytes are still to come. */
const INCOMPLETE = /\ufffd+$/

/** Text that grows id by id; gives what is new in it as soon as its characters are whole. */
export class TextBuilder {
  #ids: number[] = []
  /** What the ids in the window make, of what has been given. */
  #shown = ''
  text = ''
  constructor(private readonly codec: TextCodec | undefined) {}

  /** At the last call, bytes that never became a character are left out. */
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

/** What a generator gives; `done` gets what it returns. */
export async function* finishing<C, R>(
  generator: AsyncGenerator<C, R, void>,
  done: (result: R) => void,
): AsyncGenerator<C, void, void> {
  done(yield* generator)
}

/** What a generator gives; `waited` is told how many milliseconds each of it was waited for. */
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

const LOOK_EVERY = 100 // ms

/** While the work goes on, tells what `read` gives whenever that has changed. */
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
