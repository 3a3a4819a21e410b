import { AbortedError } from '../errors.js'

/**
 * Merges the values of several generators in the order in which they arrive. Each generator runs at most one step ahead of the reader.
 * When one throws, the signal aborts or the reader stops, all are stopped.
 */
export async function* merged<C>(
  signal: AbortSignal,
  ...makers: ((signal: AbortSignal) => AsyncGenerator<C, void, void>)[]
): AsyncGenerator<C, void, void> {
  const stop = new AbortController()
  const relay = (): void => stop.abort(signal.reason)
  if (signal.aborted) relay()
  signal.addEventListener('abort', relay, { once: true })
  const generators = makers.map(make => make(stop.signal))
  const arrived: { from: AsyncGenerator<C, void, void>; step: IteratorResult<C, void> | { error: unknown } }[] = []
  let wake: () => void = () => undefined
  const ask = (from: AsyncGenerator<C, void, void>): void => {
    const arrive = (step: IteratorResult<C, void> | { error: unknown }): void => {
      arrived.push({ from, step })
      wake()
    }
    from.next().then(arrive, (error: unknown) => arrive({ error }))
  }
  try {
    generators.forEach(ask)
    for (let running = generators.length; running > 0;) {
      const next = arrived.shift()
      if (!next) await new Promise<void>(resolve => (wake = resolve))
      else if ('error' in next.step) throw next.step.error
      else if (next.step.done) running--
      else {
        ask(next.from)
        yield next.step.value
      }
    }
  } finally {
    signal.removeEventListener('abort', relay)
    stop.abort(new AbortedError())
    await Promise.allSettled(generators.map(generator => generator.return()))
  }
}

/** Wakes those who wait for something that may have changed. */
export class Change {
  #wake: () => void = () => undefined
  #next = this.#promise()

  /** Resolves at the next {@link notify}. */
  wait(): Promise<void> {
    return this.#next
  }

  notify(): void {
    this.#wake()
    this.#next = this.#promise()
  }

  #promise(): Promise<void> {
    return new Promise(resolve => (this.#wake = resolve))
  }
}

/** A queue between two concurrent tasks. The writer waits while `limit` values are unread. */
export class Channel<T extends NonNullable<unknown>> implements AsyncIterable<T> {
  readonly #values: T[] = []
  readonly #change = new Change()
  #closed = false

  constructor(private readonly limit: number) {}

  get closed(): boolean {
    return this.#closed
  }

  /** Resolves when the value is in the queue. A closed channel drops values. */
  async put(value: T): Promise<void> {
    while (!this.#closed && this.#values.length >= this.limit) await this.#change.wait()
    if (this.#closed) return
    this.#values.push(value)
    this.#change.notify()
  }

  /** Ends the writing. Values in the queue can still be read. */
  close(): void {
    this.#closed = true
    this.#change.notify()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      const value = this.#values.shift()
      if (value !== undefined) {
        this.#change.notify()
        yield value
      } else if (this.#closed) return
      else await this.#change.wait()
    }
  }
}
