import type { FinishReason } from '../binding.js'
import { languageOf } from '../text/units.js'
import type { ReplyChunk, Spoken } from '../turn.js'
import type { WithoutAudio } from './engine.js'

/** The whole of a reply, of its chunks; their audio is the reader's. */
export class ReplyBuilder {
  readonly #units: string[] = []
  #samples = 0

  /** @param sampleRate - Hz; 0 where nothing is spoken */
  constructor(private readonly sampleRate: number) {}

  add({ audio, units }: ReplyChunk): void {
    if (units) this.#units.push(...units)
    this.#samples += audio?.length ?? 0
  }

  /** Of the audio so far. */
  get seconds(): number {
    return this.sampleRate > 0 ? this.#samples / this.sampleRate : 0
  }

  /** @param language - that of the voice; where it is not given, units or text tell it */
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
