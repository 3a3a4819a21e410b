import type { Speech } from '../audio.js'
import type { NativeLayout, NativeSampling, NativeSnapshot, NativeSpeaking } from '../binding.js'
import { UnsupportedError } from '../errors.js'
import type { TranscribeProgress } from '../options.js'
import type { Phonemizer } from '../text/voice.js'
import type { Features, Mode, Reply, ReplyChunk, SessionInfo, Spoken, Transcript } from '../turn.js'
import type { Message, Turn } from './conversation.js'

/** The input of a turn, whole. */
export type Question = { speech: Speech; text?: undefined } | { text: string; speech?: undefined }

/** The text or SSML that is to be read aloud. */
export type SpokenInput = { text: string; ssml?: undefined } | { ssml: string; text?: undefined }

/** The same, or a text that arrives in pieces. */
export type SpeakInput = SpokenInput | { pieces: (signal: AbortSignal) => AsyncIterable<string> }

/** Options for speaking a text. */
export interface Speaking extends NativeSpeaking {
  phonemizer: Phonemizer
  /** A checked pronunciation lexicon as JSON, or ''. */
  pronunciations: string
}

/** Options for answering a turn. */
export interface Answering extends NativeSampling, Speaking {
  output: 'speech' | 'text' | 'both'
  maxTokens?: number | undefined
  maxSeconds?: number | undefined
  transcribe?: boolean | undefined
  vad?: boolean | undefined
}

/** The return value of a stream of chunks: everything but the audio, which is in the chunks. */
export type WithoutAudio<R> = Omit<R, 'audio'>

/** Options for transcribing speech. */
export interface Listening {
  temperature: number
  vad?: boolean | undefined
  onProgress?: ((progress: TranscribeProgress) => void) | undefined
}

/** What is left in the conversation of a reply that was shortened. */
export interface Kept {
  /** The reply is as it was. */
  all: boolean
  /** The text that is left. If nothing of the reply was played, the turn is removed, and this is ''. */
  text: string
}

/** A turn that is heard while the user speaks. The encoder hears all samples that are fed, and the caller decides where the turn ends. */
export interface FedTurn {
  /** Encodes the next 16 kHz mono samples, any number of them, and resolves when that is done. One call at a time. */
  feed(samples: Float32Array): Promise<void>
  /** The probability that the turn is complete, asked at a pause. Not there if the samples are heard only when the turn has ended. */
  completeness?(): Promise<number>
  /** Ends the user's part and generates the reply. To be called once, after the last `feed`. */
  finish(): AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void>
  /** Stops the reply: its generator soon rejects with {@link AbortedError}. {@link shorten} must be called when it has ended. */
  stop(): void
  /**
   * Shortens the reply in the conversation to what was played of it, in seconds of its audio. To be called once, after the generator of
   * {@link finish} has ended or was stopped by {@link stop}, and before any other call of the engine.
   */
  shorten(seconds: number): Promise<Kept>
  /** Gives up the turn and leaves the conversation as it was before. After `finish`, the signal of the reply does this. */
  abandon(): void
}

/** What a saved session needs of a part. */
export interface SavedPart {
  /** The finished turns that the context holds, oldest first. */
  readonly turns: readonly Turn[]
  snapshot(signal: AbortSignal | undefined): Promise<NativeSnapshot & NativeLayout>
  /** Makes this the conversation of a snapshot, whose keys and values are then to be written. */
  restore(snapshot: NativeSnapshot, turns: readonly Turn[]): Promise<void>
  /** Keys and values of a block at `count` positions from `begin` on. */
  readContext(block: number, begin: number, count: number): Promise<Uint8Array>
  /** Writes what {@link readContext} has returned. */
  writeContext(block: number, begin: number, bytes: Uint8Array): Promise<void>
}

/**
 * Does the work of a session, with the networks of one file or of several files as one model. Callers check all arguments and run one task
 * at a time. A task ends soon after its signal has aborted.
 */
export interface Engine {
  readonly path: SessionInfo['path']
  readonly modes: readonly Mode[]
  /** The parts by name; of a single file, one that is called `model`. */
  readonly parts: Readonly<Partial<Record<string, SavedPart>>>
  /** The number of positions that the conversation takes in the language model's context. */
  readonly length: number
  generate(
    question: Question,
    answering: Answering,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void>
  /** Begins a turn that is to be fed. An error or an abort of the signal gives it up. */
  begin(answering: Answering, signal: AbortSignal): Promise<FedTurn>
  speak(
    input: SpeakInput,
    speaking: Speaking,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, WithoutAudio<Spoken>, void>
  transcribe(speech: Speech, listening: Listening, signal: AbortSignal | undefined): Promise<Transcript>
  features(speech: Speech, signal: AbortSignal | undefined): Promise<Features>
  /** The conversation as messages, as far as the context holds it. */
  history(): Message[]
  /** Forgets the conversation. */
  reset(): void
  /** Stops the running task and frees the memory. */
  dispose(): void
}

const PARTS = {
  encoder: { name: 'encoder', needed: 'it cannot hear', file: 'wav2vec2.gguf' },
  lm: { name: 'language model', needed: 'it cannot answer', file: 'qwen3.gguf' },
  voice: { name: 'voice', needed: 'it cannot speak', file: 'voice.gguf' },
} as const

/** The names of a model's parts. */
export type PartName = keyof typeof PARTS
export const PART_NAMES = Object.keys(PARTS) as PartName[]

/** The error for a missing part. */
export function missing(component: PartName): UnsupportedError {
  const { name, needed, file } = PARTS[component]
  return new UnsupportedError(
    `this model has no ${name}: ${needed}; loadModel({ …, ${component}: '${file}' }), or --${component} ${file}, composes one that can (docs/composing.md)`,
    { component },
  )
}

/** The combinations of input and output that `generate` supports. */
export function modesOf({ hears, answers, speaks }: Record<'hears' | 'answers' | 'speaks', boolean>): Mode[] {
  const inputs = hears ? (['speech', 'text'] as const) : (['text'] as const)
  const outputs = speaks ? (['speech', 'text'] as const) : (['text'] as const)
  return answers ? inputs.flatMap(from => outputs.map(to => `${from}-to-${to}` as const)) : []
}
