import type { FinishReason } from '../binding.js'
import { languageOf } from '../text/units.js'
import type { ReplyChunk, Spoken } from '../turn.js'
import type { WithoutAudio } from './engine.js'

/** Puts the chunks of a reply together, except for their audio, which only the reader keeps. */
export class ReplyBuilder {
  readonly #units: string[] = []
  #samples = 0

  /** @param sampleRate - Hz; 0 if nothing is spoken */
  constructor(private readonly sampleRate: number) {}

  add({ audio, units }: ReplyChunk): void {
    if (units) this.#units.push(...units)
    this.#samples += audio?.length ?? 0
  }

  /** The units so far. */
  get units(): readonly string[] {
    return this.#units
  }

  /** The length of the audio so far. */
  get seconds(): number {
    return this.sampleRate > 0 ? this.#samples / this.sampleRate : 0
  }

  /** @param language - the language of the voice; if it is not given, the units or the text tell it */
  finish(text: string, finishReason: FinishReason, language?: string): WithoutAudio<Spoken> {
    const heard = this.#units.length > 0 ? languageOf(this.#units) : /\p{Script=Han}/u.test(text) ? 'zh' : 'en'
    return {
      sampleRate: this.sampleRate,
      seconds: this.seconds,
      text,
      units: this.#units,
      language: language ?? heard,
      finishReason,
    }
  }
}
