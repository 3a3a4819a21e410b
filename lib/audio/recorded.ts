import { setTimeout as sleep } from 'node:timers/promises'
import type { AudioInput, AudioOutput } from './device.js'
import { SampleQueue } from './sample-queue.js'

/** The length of a block of a recording in place of a microphone, in seconds: that of a usual period of a sound card. */
const BLOCK = 0.02

/** A recording in place of a microphone. */
export class RecordedInput implements AudioInput {
  #closed = false

  /**
   * @param samples - mono
   * @param sampleRate - Hz
   * @param realTime - whether a block comes when a microphone would have recorded it; otherwise as soon as it is asked for
   */
  constructor(
    private readonly samples: Float32Array,
    readonly sampleRate: number,
    private readonly realTime: boolean,
  ) {}

  close(): void {
    this.#closed = true
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Float32Array, void, void> {
    const block = Math.round(BLOCK * this.sampleRate)
    const begun = performance.now()
    for (let i = 0; i < this.samples.length && !this.#closed; i += block) {
      const due = begun + (1000 * (i + block)) / this.sampleRate
      if (this.realTime) await sleep(Math.max(0, due - performance.now()))
      yield this.samples.subarray(i, i + block)
    }
  }
}

/**
 * A file in place of a speaker. It lasts as long as the input does, and holds at each time of the input what the speaker would have played
 * then: the reply, or silence.
 */
export class RecordedOutput implements AudioOutput {
  readonly #queue = new SampleQueue()
  /** Seconds of the input. */
  #time = 0
  /** Samples of the file so far. */
  #length = 0
  #playedSamples = 0

  /**
   * @param sampleRate - Hz
   * @param sink - takes the samples of the file, in order
   */
  constructor(
    private readonly sampleRate: number,
    private readonly sink: (samples: Float32Array) => Promise<void>,
  ) {}

  get played(): number {
    return this.#playedSamples / this.sampleRate
  }

  get written(): number {
    return (this.#playedSamples + this.#queue.length) / this.sampleRate
  }

  write(samples: Float32Array): void {
    this.#queue.push(samples)
  }

  async advance(seconds: number): Promise<void> {
    this.#time += seconds
    await this.#play(Math.round(this.#time * this.sampleRate) - this.#length)
  }

  clear(): void {
    this.#queue.keep(0)
  }

  /** What has not been played yet makes the file longer than the input. */
  async finished(): Promise<void> {
    await this.#play(this.#queue.length)
  }

  close(): void {
    this.clear()
  }

  async #play(count: number): Promise<void> {
    this.#playedSamples += Math.min(count, this.#queue.length)
    this.#length += count
    await this.sink(this.#queue.takeOrSilence(count))
  }
}
