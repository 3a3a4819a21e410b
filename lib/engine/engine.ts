import type { Speech } from '../audio.js'
import type { NativeSampling, NativeSpeaking } from '../binding.js'
import { UnsupportedError } from '../errors.js'
import type { TranscribeProgress } from '../options.js'
import type { Phonemizer } from '../text/voice.js'
import type { Features, Mode, Prompt, Reply, ReplyChunk, SessionInfo, Spoken, Transcript } from '../turn.js'

/** What is to be read aloud. */
export type SpokenInput = { text: string; ssml?: undefined } | { ssml: string; text?: undefined }

/** How text is spoken. */
export interface Speaking extends NativeSpeaking {
  phonemizer: Phonemizer
  /** A lexicon as JSON, or ''. Checked. */
  pronunciations: string
}

/** How a turn is answered. */
export interface Answering extends NativeSampling, Speaking {
  output: 'speech' | 'text' | 'both'
  maxTokens?: number | undefined
  maxSeconds?: number | undefined
  transcribe?: boolean | undefined
  vad?: boolean | undefined
}

/** What a stream of chunks returns in the end: all but the audio, which its chunks have. */
export type WithoutAudio<R> = Omit<R, 'audio'>

/** How speech is listened to. */
export interface Listening {
  temperature: number
  vad?: boolean | undefined
  onProgress?: ((progress: TranscribeProgress) => void) | undefined
}

/** A spoken turn that is heard while it is spoken. All that is fed is heard as it is: whoever feeds it decides where it ends. */
export interface FedTurn {
  /** Hears the next samples, 16 kHz mono, any number of them; resolves when they are heard. One call at a time. */
  feed(samples: Float32Array): Promise<void>
  /** The turn is over: the answer. Once, after the last `feed`. */
  finish(): AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void>
  /** Gives up the turn; the conversation is what it was. After `finish`, the answer's signal does that. */
  abandon(): void
}

/**
 * What a session does its work with: the networks of one file, or those of several as one. Arguments come checked, one task at a time; a
 * task ends soon after its signal has aborted.
 */
export interface Engine {
  readonly path: SessionInfo['path']
  readonly modes: readonly Mode[]
  /** Positions of the language model's context that the conversation takes. */
  readonly length: number
  generate(
    prompt: Prompt,
    answering: Answering,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void>
  /** Begins a turn that is fed. What fails, and the signal, gives it up. */
  begin(answering: Answering, signal: AbortSignal): Promise<FedTurn>
  speak(
    input: SpokenInput,
    speaking: Speaking,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, WithoutAudio<Spoken>, void>
  transcribe(speech: Speech, listening: Listening, signal: AbortSignal | undefined): Promise<Transcript>
  features(speech: Speech, signal: AbortSignal | undefined): Promise<Features>
  /** Forgets the conversation. */
  reset(): void
  /** Stops what runs and frees the memory. */
  dispose(): void
}

const PARTS = {
  encoder: { name: 'encoder', needed: 'it cannot hear', file: 'wav2vec2.gguf' },
  lm: { name: 'language model', needed: 'it cannot answer', file: 'qwen3.gguf' },
  voice: { name: 'voice', needed: 'it cannot speak', file: 'voice.gguf' },
} as const

/** A part of a conversation. */
export type PartName = keyof typeof PARTS
export const PART_NAMES = Object.keys(PARTS) as PartName[]

/** What is said where a part is missing. */
export function missing(component: PartName): UnsupportedError {
  const { name, needed, file } = PARTS[component]
  return new UnsupportedError(
    `this model has no ${name}: ${needed}; loadModel({ …, ${component}: '${file}' }), or --${component} ${file}, composes one that can (docs/composing.md)`,
    { component },
  )
}

/** What `generate` takes and gives. */
export function modesOf({ hears, answers, speaks }: Record<'hears' | 'answers' | 'speaks', boolean>): Mode[] {
  const inputs = hears ? (['speech', 'text'] as const) : (['text'] as const)
  const outputs = speaks ? (['speech', 'text'] as const) : (['text'] as const)
  return answers ? inputs.flatMap(from => outputs.map(to => `${from}-to-${to}` as const)) : []
}
