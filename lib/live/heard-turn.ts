import type { TurnEndReason } from './events.js'

/** How a turn of the user ended. Times are those of `performance.now()`. */
export interface TurnEnd {
  reason: TurnEndReason
  /** When the last sample of the speech was written. */
  speechEnded: number
  decided: number
}

/** Whether the turn is complete, asked after the samples before it. */
export interface Question {
  /** @param probability - undefined if nobody can tell any more */
  answer(probability: number | undefined): void
}

/** A turn of the user: its samples, which are read while it is heard, and its end. */
export class HeardTurn {
  readonly #blocks: Float32Array[] = []
  #read = 0
  #length = 0
  #unread = 0
  #end: TurnEnd | undefined
  #question: Question | undefined
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

  /** The probability that the turn is complete with the samples so far; undefined if it has ended before somebody could tell. */
  completeness(): Promise<number | undefined> {
    return new Promise(answer => {
      if (this.#end) answer(undefined)
      else this.#question = { answer }
      this.#wake()
    })
  }

  /** There will be no answer to the question. */
  dropQuestion(): void {
    this.#question?.answer(undefined)
    this.#question = undefined
  }

  finish(end: TurnEnd): void {
    this.#end ??= end
    this.dropQuestion()
    this.#wake()
  }

  /** The samples in order, with a question after those that it is about, until the end of the turn. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Float32Array | Question, void, void> {
    let asked: Question | undefined
    for (;;) {
      const block = this.#end?.reason === 'cancel' ? undefined : this.#blocks[this.#read]
      if (block) {
        this.#read++
        this.#unread -= block.length
        yield block
      } else if (this.#end) return
      else if (this.#question && this.#question !== asked) yield (asked = this.#question)
      else await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }
}
