import type { Speech } from '../audio.js'
import { join } from '../audio/concat.js'
import { AbortedError, abortedBy } from '../errors.js'
import type { Features, Mode, Reply, ReplyChunk, Spoken, Transcript } from '../turn.js'
import { follow } from '../weak.js'
import { CascadeTurn } from './cascade-turn.js'
import type { Message } from './conversation.js'
import {
  missing,
  modesOf,
  type Answering,
  type Engine,
  type FedTurn,
  type Listening,
  type PartName,
  type Question,
  type Speaking,
  type SpeakInput,
  type WithoutAudio,
} from './engine.js'
import type { PartEngine } from './part-engine.js'

/** The parts of a cascade. */
export type CascadeParts = Partial<Record<PartName, PartEngine>>

/** Answers speech until `stop` or `signal` aborts. */
async function* runFed(
  turn: CascadeTurn,
  pieces: Float32Array[],
  stop: AbortController,
  signal: AbortSignal,
): ReturnType<FedTurn['finish']> {
  if (signal.aborted) throw abortedBy(signal)
  const unfollow = follow(stop, signal)
  try {
    return yield* turn.run({ speech: await join(pieces) }, stop.signal)
  } finally {
    unfollow()
  }
}

/** Several files as one model: the encoder transcribes speech, the language model replies in text, and the voice reads that aloud. */
export class CascadeEngine implements Engine {
  readonly path = 'cascade'
  constructor(readonly parts: CascadeParts) {}

  get modes(): Mode[] {
    const { encoder, lm, voice } = this.parts
    return modesOf({ hears: encoder !== undefined, answers: lm !== undefined, speaks: voice !== undefined })
  }

  get length(): number {
    return this.parts.lm?.length ?? 0
  }

  generate(
    question: Question,
    answering: Answering,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void> {
    return this.#turn(answering).run(question, signal)
  }

  /** The encoder of a cascade processes whole utterances, so the samples that are fed are kept until the turn ends. */
  begin(answering: Answering, signal: AbortSignal): Promise<FedTurn> {
    this.#need('encoder')
    const pieces: Float32Array[] = []
    const stop = new AbortController()
    const turn = this.#turn({ ...answering, vad: false })
    return Promise.resolve({
      feed: samples => Promise.resolve(void pieces.push(samples.slice())),
      finish: () => runFed(turn, pieces, stop, signal),
      stop: () => stop.abort(new AbortedError()),
      shorten: seconds => turn.shorten(seconds),
      abandon: () => void pieces.splice(0),
    })
  }

  speak(
    input: SpeakInput,
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

  history(): Message[] {
    return this.parts.lm?.history() ?? []
  }

  reset(): void {
    this.parts.lm?.reset()
  }

  dispose(): void {
    for (const part of Object.values(this.parts)) part.dispose()
  }

  #turn(answering: Answering): CascadeTurn {
    const { encoder, voice } = this.parts
    return new CascadeTurn(this.#need('lm'), encoder, voice, answering)
  }

  #need(name: PartName): PartEngine {
    const part = this.parts[name]
    if (!part) throw missing(name)
    return part
  }
}
