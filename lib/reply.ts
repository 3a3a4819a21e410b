import { AbortedError, abortedBy, toMossError } from './errors.js'

/** Makes the chunks; ends early, by throwing, when the signal aborts. Its return value is the result. */
export type Producer<C, R> = (signal: AbortSignal) => AsyncGenerator<C, R, void>

/**
 * A reply that is being made: its chunks by `for await`, the whole of it by {@link result}, or both. Work starts with the first of
 * these. Leaving the loop early stops the work.
 *
 * @typeParam C - a chunk.
 * @typeParam R - the whole.
 */
export class ReplyStream<C, R> implements AsyncIterable<C> {
  readonly #produce: Producer<C, R>
  readonly #abort = new AbortController()
  readonly #signal: AbortSignal | undefined
  readonly #chunks: C[] = []
  #producer: AsyncGenerator<C, R, void> | undefined
  #pulling: Promise<void> | undefined
  #outcome: { result: R } | { error: Error } | undefined

  /** @internal */
  constructor(produce: Producer<C, R>, signal?: AbortSignal) {
    this.#produce = produce
    this.#signal = signal
  }

  /** The chunks in order. Every loop sees all of them, also one that begins late. */
  async *[Symbol.asyncIterator](): AsyncGenerator<C, void, void> {
    try {
      for (let i = 0; ; i++) {
        while (i >= this.#chunks.length && !this.#outcome) await this.#pull()
        const chunk = this.#chunks[i]
        if (chunk === undefined) break
        yield chunk
      }
      if (this.#outcome && 'error' in this.#outcome) throw this.#outcome.error
    } finally {
      if (!this.#outcome) await this.cancel()
    }
  }

  /** Waits for the end, whether or not somebody reads the chunks. Rejects with the error that ended the reply. */
  async result(): Promise<R> {
    while (!this.#outcome) await this.#pull()
    if ('error' in this.#outcome) throw this.#outcome.error
    return this.#outcome.result
  }

  /** Stops the work: the loop and {@link result} reject with {@link AbortedError}. Resolves when it has stopped. Idempotent. */
  cancel(): Promise<void> {
    return this.stop(new AbortedError())
  }

  /** {@link cancel} with another reason. @internal */
  async stop(error: Error): Promise<void> {
    if (this.#outcome) return
    this.#abort.abort(error)
    await this.#pulling
    await this.#producer?.return(undefined as never).catch(() => undefined)
    this.#finish({ error })
  }

  /** Fetches one more chunk or the outcome. Never rejects. */
  #pull(): Promise<void> {
    return (this.#pulling ??= this.#step().finally(() => (this.#pulling = undefined)))
  }

  readonly #onAbort = (): void => this.#abort.abort(this.#signal?.reason)

  async #step(): Promise<void> {
    if (!this.#producer) {
      if (this.#signal?.aborted) return this.#finish({ error: abortedBy(this.#signal) })
      this.#signal?.addEventListener('abort', this.#onAbort, { once: true })
      this.#producer = this.#produce(this.#abort.signal)
    }
    try {
      const step = await this.#producer.next()
      if (step.done) this.#finish({ result: step.value })
      else this.#chunks.push(step.value)
    } catch (thrown) {
      const aborted = this.#signal?.aborted ? abortedBy(this.#signal) : undefined
      this.#finish({ error: aborted ?? toMossError(thrown) })
    }
  }

  #finish(outcome: { result: R } | { error: Error }): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#outcome ??= outcome
  }
}
