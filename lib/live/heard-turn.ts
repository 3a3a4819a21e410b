import type { TurnEndReason } from './events.js'

/** How a turn of the user ended. Times are those of `performance.now()`. */
export interface TurnEnd {
  reason: TurnEndReason
  /** When the last sample of the speech was written. */
  speechEnded: number
  decided: number
}

/** A turn of the user: its samples, which are read while it is heard, and its end. */
export class HeardTurn {
  readonly #blocks: Float32Array[] = []
  #read = 0
  #length = 0
  #unread = 0
  #end: TurnEnd | undefined
  #wake: () => void = () => undefined

  /** Whether the user went on before the reply had begun, so that the next turn goes on with this one. */
  withdrawn = false

  /** @param number - turns are counted from 1 */
  constructor(readonly number: number) {}

  /** Samples so far. */
  get length(): number {
    return this.#length
  }

  /** Samples that were not read yet. */
  get unread(): number {
    return this.#unread
  }

  get end(): TurnEnd | undefined {
    return this.#end
  }

  add(samples: Float32Array): void {
    if (samples.length === 0) return
    this.#blocks.push(samples)
    this.#length += samples.length
    this.#unread += samples.length
    this.#wake()
  }

  /** Puts the samples of an earlier turn before its own, because the user goes on with that one. To be called before it is read. */
  continueFrom(earlier: HeardTurn): void {
    this.#blocks.unshift(...earlier.#blocks)
    this.#length += earlier.#length
    this.#unread += earlier.#length
  }

  finish(end: TurnEnd): void {
    this.#end ??= end
    this.#wake()
  }

  /** The samples in order, until the end of the turn. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Float32Array, void, void> {
    for (;;) {
      const block = this.#end?.reason === 'cancel' ? undefined : this.#blocks[this.#read]
      if (block) {
        this.#read++
        this.#unread -= block.length
        yield block
      } else if (this.#end) return
      else await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }
}
