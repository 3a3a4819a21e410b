import type { Speech } from '../audio.js'
import { join } from '../audio/concat.js'
import type { Features, Mode, Prompt, Reply, ReplyChunk, Spoken, Transcript } from '../turn.js'
import { CascadeTurn } from './cascade-turn.js'
import {
  missing,
  modesOf,
  type Answering,
  type Engine,
  type FedTurn,
  type Listening,
  type PartName,
  type Speaking,
  type SpokenInput,
  type WithoutAudio,
} from './engine.js'
import type { PartEngine } from './part-engine.js'

/** The parts of a cascade. */
export type CascadeParts = Partial<Record<PartName, PartEngine>>

/** Several files as one model: the encoder transcribes speech, the language model replies in text, and the voice reads that aloud. */
export class CascadeEngine implements Engine {
  readonly path = 'cascade'
  readonly #parts: CascadeParts

  constructor(parts: CascadeParts) {
    this.#parts = parts
  }

  get modes(): Mode[] {
    const { encoder, lm, voice } = this.#parts
    return modesOf({ hears: encoder !== undefined, answers: lm !== undefined, speaks: voice !== undefined })
  }

  get length(): number {
    return this.#parts.lm?.length ?? 0
  }

  generate(
    prompt: Prompt,
    answering: Answering,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void> {
    const lm = this.#need('lm')
    const { encoder, voice } = this.#parts
    return new CascadeTurn(lm, encoder, voice, answering).run(prompt, signal)
  }

  /** The encoder of a cascade processes whole utterances, so the samples that are fed are kept until the turn ends. */
  begin(answering: Answering, signal: AbortSignal): Promise<FedTurn> {
    this.#need('lm')
    this.#need('encoder')
    const pieces: Float32Array[] = []
    return Promise.resolve({
      feed: samples => Promise.resolve(void pieces.push(samples.slice())),
      finish: () => this.#answerFed(pieces, answering, signal),
      abandon: () => void pieces.splice(0),
    })
  }

  speak(
    input: SpokenInput,
    speaking: Speaking,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, WithoutAudio<Spoken>, void> {
    return this.#need('voice').speak(input, speaking, signal)
  }

  async transcribe(speech: Speech, listening: Listening, signal: AbortSignal | undefined): Promise<Transcript> {
    return this.#need('encoder').transcribe(speech, listening, signal)
  }

  async features(speech: Speech, signal: AbortSignal | undefined): Promise<Features> {
    return this.#need('encoder').features(speech, signal)
  }

  reset(): void {
    this.#parts.lm?.reset()
  }

  dispose(): void {
    for (const part of Object.values(this.#parts)) part.dispose()
  }

  async *#answerFed(pieces: Float32Array[], answering: Answering, signal: AbortSignal): ReturnType<FedTurn['finish']> {
    const speech = await join(pieces)
    return yield* this.generate({ speech }, { ...answering, vad: false }, signal)
  }

  #need(name: PartName): PartEngine {
    const part = this.#parts[name]
    if (!part) throw missing(name)
    return part
  }
}
