import { join } from './audio/concat.js'
import { AbortedError, abortedBy, NotKeptError, toMossError } from './errors.js'
import { follow, onceCollected } from './weak.js'

/**
 * Generates the chunks, and throws when the signal aborts. Its return value is the result without the audio, which is
 * collected from the chunks.
 */
export type Producer<C, R> = (signal: AbortSignal) => AsyncGenerator<C, Omit<R, 'audio'>, void>

/**
 * A linked list of the chunks; the last link waits for its chunk. Holding a link keeps all later chunks in memory, but
 * no earlier ones.
 */
interface Link<C> {
  chunk?: C
  next?: Link<C>
}

/** Stops the work of a reply that is no longer referenced. */
function stopping(abort: AbortController, producer: AsyncGenerator<unknown, unknown, void>): () => void {
  return () => {
    abort.abort(new AbortedError())
    producer.return(undefined).catch(() => undefined)
  }
}

/**
 * A reply that is being generated. Read its chunks with `for await`, wait for the whole reply with {@link result}, or
 * do both; the work starts with the first of these. Leaving the loop early stops the work. After calling `next()` by
 * hand, stop with `return()` or {@link cancel}. If the reply and its iterators are only dropped, the work stops, and
 * the session becomes free, once the garbage collector has collected them.
 *
 * Chunks that the loops have read are not kept, so that memory does not grow with the length of the reply. To get the
 * chunks and also the whole audio, call {@link result} first:
 *
 *     const reply = session.generate({ speech })
 *     const whole = reply.result()
 *     for await (const { audio } of reply) play(audio)
 *     await writeWav('reply.wav', (await whole).audio)
 *
 * @typeParam C - a chunk.
 * @typeParam R - the whole reply.
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
  /**
   * The link at which a loop begins; undefined once a loop has read the first chunk, unless all chunks are kept for
   * result().
   */
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
   * The chunks in order. Several loops get all chunks if they begin before the first chunk is read. If {@link result}
   * was called before that, loops may begin at any time, also when the reply has ended.
   *
   * @throws {@link NotKeptError} the loop begins too late: another one has read the first chunk
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
   * Waits for the end of the reply, whether or not the chunks are read. Rejects with the error that ended the reply.
   *
   * If a loop has already read a chunk, the result has everything but the audio: reading its `audio` throws {@link
   * NotKeptError}.
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

  /** Like {@link cancel}, with another reason. @internal */
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

  /** An error that the loop has thrown must not be reported again as an unhandled rejection of `result()`. */
  #tellOnce(): void {
    if (this.#looped) this.#result?.catch(() => undefined)
  }

  /** Fetches the next chunk or the result. Never rejects. */
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
    // Not enumerable, so that copying or printing the result does not throw.
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
