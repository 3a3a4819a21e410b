import { concat } from '../lib/audio/concat.js'
import type { Model, Session } from '../lib/index.js'

/** Samples before the moment at which speech is noticed that belong to it. */
const BEFORE = 0.6 * 16_000
/** The text is made again when this much has been said since. */
const STEP = 0.5 * 16_000

/**
 * What somebody has said so far, for a status line. A session of its own transcribes the speech again and again while it becomes longer,
 * with what the answering session leaves of the processor.
 */
export class PartialTranscript {
  readonly #session: Session
  /** The speech so far, or the last moment of the input. */
  #samples: Float32Array = new Float32Array(0)
  /** Stops the transcription when the speech has ended; undefined while nobody speaks. */
  #speech: AbortController | undefined
  #transcribed = 0
  #busy = false
  /** '' while nobody speaks. */
  text = ''

  constructor(model: Model) {
    this.#session = model.createSession()
  }

  /** Somebody has begun to speak. */
  begin(): void {
    this.#speech ??= new AbortController()
  }

  /** The speech has ended. */
  end(): void {
    this.#speech?.abort()
    this.#speech = undefined
    this.#transcribed = 0
    this.text = ''
  }

  /** Takes the next samples of the input, at 16 kHz. */
  push(samples: Float32Array): void {
    this.#samples = concat([this.#speech ? this.#samples : this.#samples.subarray(-BEFORE), samples])
    if (this.#speech && !this.#busy && this.#samples.length - this.#transcribed >= STEP)
      void this.#transcribe(this.#speech)
  }

  async #transcribe(speech: AbortController): Promise<void> {
    this.#busy = true
    this.#transcribed = this.#samples.length
    try {
      const { text } = await this.#session.transcribe(this.#samples, { vad: false, signal: speech.signal })
      if (speech === this.#speech) this.text = text
    } catch {
      // The speech has ended, or is longer than can be transcribed at once: the turn itself tells what is wrong.
    } finally {
      this.#busy = false
    }
  }
}
