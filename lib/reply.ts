import { join } from './audio/concat.js'
import { AbortedError, abortedBy, NotKeptError, toMossError } from './errors.js'
import { follow, onceCollected } from './weak.js'

/**
 * Makes the chunks; ends early, by throwing, when the signal aborts. Its return value is the result but for the audio, which the chunks
 * have.
 */
export type Producer<C, R> = (signal: AbortSignal) => AsyncGenerator<C, Omit<R, 'audio'>, void>

/** A chunk in the order in which they come; the last link waits for its chunk. Who holds a link holds what comes after it. */
interface Link<C> {
  chunk?: C
  next?: Link<C>
}

/** Stops the work of a reply that nobody holds any more. */
function stopping(abort: AbortController, producer: AsyncGenerator<unknown, unknown, void>): () => void {
  return () => {
    abort.abort(new AbortedError())
    producer.return(undefined).catch(() => undefined)
  }
}

/**
 * A reply that is being made: its chunks by `for await`, the whole of it by {@link result}, or both. Work starts with the first of
 * these. Leaving the loop early stops the work. Who calls `next()` by hand ends early with `return()` or {@link cancel}; where the reply and
 * its iterators are only dropped, the work stops, and the session is free, when the garbage collector finds out.
 *
 * A chunk that the loops have had is not kept, so memory does not grow with the reply's length. Who wants the chunks and the whole audio
 * calls {@link result} first:
 *
 *     const reply = session.generate({ speech })
 *     const whole = reply.result()
 *     for await (const { audio } of reply) play(audio)
 *     await writeWav('reply.wav', (await whole).audio)
 *
 * @typeParam C - a chunk.
 * @typeParam R - the whole.
 */
export class ReplyStream<
  C extends { audio?: Float32Array },
  R extends { audio: Float32Array },
> implements AsyncIterable<C> {
  readonly #produce: Producer<C, R>
  readonly #abort = new AbortController()
  readonly #signal: AbortSignal | undefined
  #unfollow: (() => void) | undefined
  #unwatch: (() => void) | undefined
  #last: Link<C> = {}
  /** Where a loop begins; undefined when a loop has had the first chunk and nobody had asked for all of them. */
  #first: Link<C> | undefined = this.#last
  #looped = false
  #voiced = false
  #producer: AsyncGenerator<C, Omit<R, 'audio'>, void> | undefined
  #pulling: Promise<void> | undefined
  #outcome: { result: R } | { error: Error } | undefined
  #result: Promise<R> | undefined

  /** @internal */
  constructor(produce: Producer<C, R>, signal?: AbortSignal) {
    this.#produce = produce
    this.#signal = signal
  }

  /**
   * The chunks in order. Several loops see all of them if they begin before the first chunk is read, or if {@link result} was called before
   * that; then a loop may also begin when the reply has ended.
   *
   * @throws {@link NotKeptError} a loop begins too late: another one has had the first chunk
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<C, void, void> {
    let link = this.#first
    if (!link) throw this.#error ?? new NotKeptError('the chunks of this reply were read by another loop and not kept')
    this.#looped = true
    this.#tellOnce()
    try {
      for (;;) {
        while (!link.next && !this.#outcome) await this.#pull()
        const { chunk, next }: Link<C> = link
        if (!chunk || !next) break
        if (!this.#result) this.#first = undefined
        link = next
        yield chunk
      }
      if (this.#error) throw this.#error
    } finally {
      if (!this.#outcome) await this.cancel()
    }
  }

  /**
   * Waits for the end, whether or not somebody reads the chunks. Rejects with the error that ended the reply.
   *
   * Called when a loop has already had a chunk, it gives everything but the audio: reading its `audio` throws {@link NotKeptError}.
   */
  result(): Promise<R> {
    this.#result ??= this.#whole()
    this.#tellOnce()
    return this.#result
  }

  async #whole(): Promise<R> {
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

  get #error(): Error | undefined {
    return this.#outcome && 'error' in this.#outcome ? this.#outcome.error : undefined
  }

  /** What a loop throws need not be handled a second time where `result()` was called for its audio. */
  #tellOnce(): void {
    if (this.#looped) this.#result?.catch(() => undefined)
  }

  /** Fetches one more chunk or the outcome. Never rejects. */
  #pull(): Promise<void> {
    return (this.#pulling ??= this.#step().finally(() => (this.#pulling = undefined)))
  }

  async #step(): Promise<void> {
    if (!this.#producer) {
      if (this.#signal?.aborted) return this.#finish({ error: abortedBy(this.#signal) })
      this.#unfollow = this.#signal && follow(this.#abort, this.#signal)
      this.#producer = this.#produce(this.#abort.signal)
      this.#unwatch = onceCollected(this, stopping(this.#abort, this.#producer))
    }
    try {
      const step = await this.#producer.next()
      if (step.done) this.#finish({ result: await this.#assemble(step.value) })
      else this.#append(step.value)
    } catch (thrown) {
      const aborted = this.#signal?.aborted ? abortedBy(this.#signal) : undefined
      this.#finish({ error: aborted ?? toMossError(thrown) })
    }
  }

  #append(chunk: C): void {
    this.#voiced ||= chunk.audio !== undefined
    const next: Link<C> = {}
    Object.assign(this.#last, { chunk, next })
    this.#last = next
  }

  async #assemble(result: Omit<R, 'audio'>): Promise<R> {
    const blocks: Float32Array[] = []
    for (let link = this.#first; link?.chunk; link = link.next) if (link.chunk.audio) blocks.push(link.chunk.audio)
    if (this.#first || !this.#voiced) return { ...result, audio: await join(blocks) } as R
    // Not enumerable: who copies or prints the rest need not know.
    return Object.defineProperty({ ...result } as R, 'audio', {
      get() {
        throw new NotKeptError(
          "the audio of this reply went to a loop and was not kept: collect the chunks' audio, or call result() before the loop",
        )
      },
    })
  }

  #finish(outcome: { result: R } | { error: Error }): void {
    this.#unfollow?.()
    this.#unwatch?.()
    this.#outcome ??= outcome
  }
}
