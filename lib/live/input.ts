import { setImmediate as nextTick } from 'node:timers/promises'
import { concat } from '../audio/concat.js'
import type { EchoCanceller } from '../audio/echo-canceller.js'
import { SAMPLE_RATE } from '../audio/limits.js'
import { createResampler, type Resampler } from '../audio/resample.js'
import { DisposedError, InvalidArgumentError } from '../errors.js'
import { checkInteger } from '../options.js'
import type { Change } from '../engine/concurrent.js'

/** Samples of a live session: mono at 16 kHz in [-1, 1] or as 16-bit integers, or with their rate. */
export type LiveAudio =
  Float32Array | Int16Array | { samples: Float32Array | Int16Array; /** Hz, 1000 to 1,000,000. */ sampleRate: number }

/** What was written, in order: samples at 16 kHz, with the time of their last write, or the call of `commit()` or `end()`. */
export type InputItem =
  | { type: 'samples'; samples: Float32Array; written: number; /** `clears` when it was taken. */ clears: number }
  | { type: 'commit' | 'end'; written: number }

type Written =
  | { type: 'samples'; samples: Float32Array; rate: number; written: number }
  | Exclude<InputItem, { samples: Float32Array }>

/** The most samples of an item: small writes are joined, large ones are split. */
const PIECE = 8000
/** The most samples that are resampled without a break; that takes about a millisecond. */
const RESAMPLED_AT_ONCE = 8192
/** The most samples from which echo is removed without a break; that takes a few milliseconds. */
const CANCELLED_AT_ONCE = 1600
const LARGEST = 32

/** The input of a live session: checks and copies what is written, and passes it on at 16 kHz, in order. */
export class LiveInput {
  #waiting: Written[] = []
  /** Seconds of audio that wait. */
  #seconds = 0
  /** Seconds of audio of which the listener has had nothing yet: what waits, and what is being converted. */
  #ahead = 0
  #rate: number | undefined
  #clears = 0
  #ended = false
  #closed: Error | undefined
  /** Whether the reader waits for something to be written. */
  #asked = false
  #wake: () => void = () => undefined
  #resampler: Promise<Resampler> | undefined

  /**
   * @param change - is notified when all that was written has been heard
   * @param echo - removes the sound of the speaker
   */
  constructor(
    private readonly change: Change,
    private readonly echo: EchoCanceller | undefined,
  ) {}

  /** Seconds of audio that were written and not taken yet. */
  get waitingSeconds(): number {
    return this.#seconds
  }

  /** Whether all that was written has been heard. */
  get idle(): boolean {
    return this.#asked && this.#waiting.length === 0
  }

  get ended(): boolean {
    return this.#ended
  }

  /** @throws {@link InvalidArgumentError}, {@link DisposedError} */
  write(audio: unknown): void {
    this.#refuseIfEnded('write')
    const { samples: given, rate } = toMono(audio, SAMPLE_RATE)
    if (this.#rate !== undefined && this.#rate !== rate) {
      throw new InvalidArgumentError(`the samples came at ${this.#rate} Hz before, and cannot come at ${rate} Hz now`, {
        option: 'sampleRate',
        expected: this.#rate,
        found: rate,
      })
    }
    const samples = toFloats(given)
    this.#rate = rate
    if (samples.length === 0) return
    this.#seconds += samples.length / rate
    this.#ahead += samples.length / rate
    this.#add({ type: 'samples', samples, rate, written: performance.now() })
  }

  /** @throws {@link DisposedError} */
  commit(): void {
    this.#refuseIfEnded('commit')
    this.#add({ type: 'commit', written: performance.now() })
  }

  /** Ends the input. Idempotent. */
  end(): void {
    if (this.#ended || this.#closed) return
    this.#ended = true
    this.#add({ type: 'end', written: performance.now() })
  }

  /** The number of calls of {@link clear}. Samples that were taken before the last one are to be dropped. */
  get clears(): number {
    return this.#clears
  }

  /** Drops what waits, but not the end of the input. */
  clear(): void {
    this.#clears++
    this.#waiting = this.#waiting.filter(item => item.type === 'end')
    this.#ahead = Math.max(0, this.#ahead - this.#seconds)
    this.#seconds = 0
  }

  /** The speaker has been given samples, whose echo is to be removed. @param rate - Hz */
  play(samples: Float32Array, rate: number): void {
    this.echo?.play(samples, rate, Math.round(this.#ahead * SAMPLE_RATE))
  }

  /** The speaker has fallen silent. */
  silence(): void {
    this.echo?.silence(Math.round(this.#ahead * SAMPLE_RATE))
  }

  /** Ends the reading at once. Later writes are refused, with the error as the cause. */
  close(error: Error | undefined): void {
    this.#closed ??= new DisposedError('the live session has ended', {}, error && { cause: error })
    this.#waiting = []
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<InputItem, void, void> {
    while (!this.#closed) {
      const first = this.#waiting[0]
      if (!first) await this.#written()
      else if (first.type === 'samples') yield* this.#resampled(this.#take(first.rate), first.rate, first.written)
      else {
        this.#waiting.shift()
        yield* this.#rest(first.written)
        yield first
        if (first.type === 'end') return
      }
    }
  }

  async #written(): Promise<void> {
    const written = new Promise<void>(resolve => (this.#wake = resolve))
    this.#asked = true
    this.change.notify()
    await written
    this.#asked = false
  }

  /** Takes the samples that wait before the next commit, about a piece of them. */
  #take(rate: number): Float32Array {
    const most = Math.ceil((PIECE * rate) / SAMPLE_RATE)
    const parts: Float32Array[] = []
    let count = 0
    for (let item = this.#waiting[0]; item?.type === 'samples' && count < most; item = this.#waiting[0]) {
      const part = item.samples.subarray(0, most - count)
      parts.push(part)
      count += part.length
      if (part.length === item.samples.length) this.#waiting.shift()
      else item.samples = item.samples.subarray(part.length)
    }
    this.#seconds = this.#waiting.length === 0 ? 0 : this.#seconds - count / rate
    return concat(parts)
  }

  async *#resampled(samples: Float32Array, rate: number, written: number): AsyncGenerator<InputItem, void, void> {
    const clears = this.#clears
    if (rate === SAMPLE_RATE) {
      yield* this.#withoutEcho(samples, written, clears)
      return
    }
    const resampler = await (this.#resampler ??= createResampler(rate, SAMPLE_RATE))
    for (let i = 0; i < samples.length; i += RESAMPLED_AT_ONCE) {
      const part = resampler.push(samples.subarray(i, i + RESAMPLED_AT_ONCE))
      if (part.length > 0) yield* this.#withoutEcho(part, written, clears)
      await nextTick()
    }
  }

  async *#withoutEcho(samples: Float32Array, written: number, clears: number): AsyncGenerator<InputItem, void, void> {
    if (!this.echo) {
      yield { type: 'samples', samples, written, clears }
      return
    }
    for (let i = 0; i < samples.length; i += CANCELLED_AT_ONCE) {
      const part = samples.subarray(i, i + CANCELLED_AT_ONCE)
      const clean = await this.echo.cancel(part)
      this.#ahead = Math.max(0, this.#ahead - part.length / SAMPLE_RATE)
      if (clean.length > 0) yield { type: 'samples', samples: clean, written, clears }
      if (i + CANCELLED_AT_ONCE < samples.length) await nextTick()
    }
  }

  /** The samples that the resampler and the echo canceller still hold. */
  async *#rest(written: number): AsyncGenerator<InputItem, void, void> {
    const resampler = await this.#resampler
    this.#resampler = undefined
    const clears = this.#clears
    const resampled = resampler?.finish() ?? new Float32Array(0)
    if (resampled.length > 0) yield* this.#withoutEcho(resampled, written, clears)
    const samples = this.echo?.finish() ?? new Float32Array(0)
    if (samples.length > 0) yield { type: 'samples', samples, written, clears }
  }

  #add(item: Written): void {
    this.#waiting.push(item)
    this.#wake()
  }

  #refuseIfEnded(call: string): void {
    if (this.#closed) throw this.#closed
    if (this.#ended) throw new DisposedError(`${call}() was called after end()`)
  }
}

/**
 * Checks the form of live audio.
 *
 * @param defaultRate - Hz, of samples that come without their rate
 * @throws {@link InvalidArgumentError}
 */
export function toMono(audio: unknown, defaultRate: number): { samples: Float32Array | Int16Array; rate: number } {
  if (isSamples(audio)) return { samples: audio, rate: defaultRate }
  const { samples, sampleRate } = (typeof audio === 'object' && audio !== null ? audio : {}) as Record<string, unknown>
  if (!isSamples(samples)) {
    throw new InvalidArgumentError(
      `live audio must be a Float32Array or an Int16Array at ${defaultRate} Hz, or { samples, sampleRate }`,
      { option: 'audio' },
    )
  }
  if (sampleRate === undefined) throw new InvalidArgumentError('sampleRate is missing', { option: 'sampleRate' })
  return { samples, rate: checkInteger('sampleRate', sampleRate, 1000, 1_000_000) ?? defaultRate }
}

function isSamples(value: unknown): value is Float32Array | Int16Array {
  return value instanceof Float32Array || value instanceof Int16Array
}

/** A copy as floats. @throws {@link InvalidArgumentError} a sample is not finite, or far outside of [-1, 1] */
export function toFloats(samples: Float32Array | Int16Array): Float32Array {
  if (samples instanceof Int16Array) return Float32Array.from(samples, sample => sample / 0x8000)
  const index = samples.findIndex(sample => !(Math.abs(sample) <= LARGEST))
  if (index >= 0) {
    const sample = samples[index]
    const found = Number.isFinite(sample) ? `${sample}; samples lie in [-1, 1]` : String(sample)
    throw new InvalidArgumentError(`sample ${index} is ${found}`, { option: 'audio', index })
  }
  return samples.slice()
}
