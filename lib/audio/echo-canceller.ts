import type { AEC3, WebRtcAec3 } from '@ennuicastr/webrtcaec3.js'
import { concat } from './concat.js'
import { SAMPLE_RATE } from './limits.js'
import { createResampler, type Resampler } from './resample.js'
import { SampleQueue } from './sample-queue.js'

/** Samples that AEC3 processes at a time: 10 ms. */
const FRAME = SAMPLE_RATE / 100

/** What is known about the speaker: it has been given samples, or has fallen silent. */
type Change =
  | { type: 'played'; samples: Float32Array; rate: number; /** Samples of the microphone that wait. */ waiting: number }
  | { type: 'silenced'; waiting: number }

/**
 * Removes the sound of the speaker from that of the microphone, with WebRTC's echo canceller AEC3. It finds the delay between the two by
 * itself, up to about half a second, and needs a second of sound to learn the room.
 *
 * Both streams have one time line, that of the microphone: what the speaker is given plays from the sample that the microphone records at
 * that moment, or after what it was given before.
 */
export class EchoCanceller {
  #aec: Promise<AEC3> | undefined
  /** Samples of the microphone that are no whole frame yet. */
  readonly #microphone = new SampleQueue()
  /** What the speaker plays from the next frame of the microphone on, at 16 kHz. */
  readonly #speaker = new SampleQueue()
  #changes: Change[] = []
  #resampler: { rate: number; resampler: Resampler } | undefined

  /**
   * The speaker has been given samples.
   *
   * @param rate - Hz
   * @param waiting - samples of the microphone that were recorded and not passed to {@link cancel} yet
   */
  play(samples: Float32Array, rate: number, waiting: number): void {
    this.#changes.push({ type: 'played', samples, rate, waiting })
  }

  /** The speaker has fallen silent, whatever it was given. */
  silence(waiting: number): void {
    this.#changes.push({ type: 'silenced', waiting })
  }

  /** Takes the next samples of the microphone, at 16 kHz. Returns all whole frames without echo; a rest waits for the next call. */
  async cancel(samples: Float32Array): Promise<Float32Array> {
    const aec = await (this.#aec ??= createAec())
    for (let change = this.#changes.shift(); change; change = this.#changes.shift()) await this.#apply(change)
    this.#microphone.push(samples)
    const frames: Float32Array[] = []
    while (this.#microphone.length >= FRAME) {
      const frame = new Float32Array(FRAME)
      aec.analyze([this.#speaker.takeOrSilence(FRAME)])
      aec.process([frame], [this.#microphone.take(FRAME)])
      frames.push(frame)
    }
    return concat(frames)
  }

  /** The rest of less than a frame, as it is. */
  finish(): Float32Array {
    return this.#microphone.take(FRAME)
  }

  /** Frees its memory. */
  close(): void {
    this.#resampler?.resampler.finish()
    this.#resampler = undefined
  }

  async #apply(change: Change): Promise<void> {
    const until = change.waiting + this.#microphone.length
    if (change.type === 'silenced') this.#speaker.keep(until)
    else {
      const { samples, rate } = change
      const resampled = await this.#resample(samples, rate)
      this.#speaker.push(new Float32Array(Math.max(0, until - this.#speaker.length)))
      this.#speaker.push(resampled)
    }
  }

  async #resample(samples: Float32Array, rate: number): Promise<Float32Array> {
    if (this.#resampler?.rate !== rate) {
      this.#resampler?.resampler.finish()
      this.#resampler = { rate, resampler: await createResampler(rate, SAMPLE_RATE) }
    }
    return this.#resampler.resampler.push(samples)
  }
}

/**
 * Makes an AEC3 for 16 kHz with a module of its own, whose memory is freed with it.
 *
 * The module adds listeners for errors of the whole process, which are none of its business: they are removed.
 */
async function createAec(): Promise<AEC3> {
  const { default: load } = await import('@ennuicastr/webrtcaec3.js')
  const events = ['uncaughtException', 'unhandledRejection']
  const before = events.map(event => process.listeners(event as 'exit'))
  const loading = load()
  events.forEach((event, i) => {
    for (const listener of process.listeners(event as 'exit'))
      if (before[i]?.includes(listener) !== true) process.off(event, listener)
  })
  const module: WebRtcAec3 = await loading
  return new module.AEC3(SAMPLE_RATE, 1, 1)
}
