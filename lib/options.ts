import { fileURLToPath } from 'node:url'
import type { ErrorDetails } from './errors.js'
import type { Message } from './engine/conversation.js'
import { InvalidArgumentError } from './errors.js'

/** How the reply of a session is generated. All options are optional. */
export interface GenerateOptions extends SpeakOptions {
  /**
   * What the reply contains: `speech` (the audio and its units), `text`, or `both`. Default `both`; `text` if the model
   * has no voice.
   */
  output?: 'speech' | 'text' | 'both'
  /** Randomness of the language model, 0–2; 0 always takes the most probable token. Default: the model's. */
  temperature?: number
  /** Samples only from the most probable tokens that together have this probability, above 0 to 1. Default: the model's. */
  topP?: number
  /** Samples only from this many most probable tokens, a whole number; 0 is off. Default: the model's. */
  topK?: number
  /** The longest text of a reply in tokens, a whole number above 0. Default 512. */
  maxTokens?: number
  /** The longest reply in seconds, above 0 to 600; a longer one is cut. Default 60. */
  maxSeconds?: number
  /**
   * For spoken input: also transcribe it (`reply.heard.text`), which takes as long as another short reply. Default
   * false. A composed model always transcribes.
   */
  transcribe?: boolean
  /** For spoken input, as in {@link TranscribeOptions}. */
  vad?: boolean
}

/** How text is spoken. All options are optional. */
export interface SpeakOptions {
  /**
   * A voice by name, one of `model.info().voices`, or a mixture: names with their shares, numbers above 0, such as `{
   * af_heart: 2, af_bella: 1 }`. Imported voices cannot be mixed. Default: the model's voice for the language that is
   * spoken.
   */
  voice?: string | Readonly<Record<string, number>>
  /** 0.5–2; 2 is twice as fast. Default 1. */
  speed?: number
  /** Semitones by which the voice is higher, -12–12. Default 0. Imported voices cannot change it. */
  pitch?: number
  /** Decibels by which the voice is louder, -20–20; what would exceed full scale is clipped. Default 0. */
  energy?: number
  /**
   * Multiplies the length of the silences at punctuation and at the ends of a sentence, 0–4; 0 leaves hardly any.
   * Default 1. Imported voices cannot change it.
   */
  pause?: number
  /** One of `model.info().emotions`. Default: neutral. Imported voices have none. */
  emotion?: string
  /** Random variation of the sound, 0–2; 0 removes all randomness. Default: the model's. */
  noiseScale?: number
  /** Imported voices: random variation of the rhythm, 0–2. Default: the voice's. */
  noiseW?: number
  /** Imported voices: multiplies the length of all sounds, 0.1–10, in addition to `speed`. Default: the voice's. */
  lengthScale?: number
  /**
   * Imported voices that speak phonemes: what converts text to phonemes. `auto`: this package for English and Mandarin,
   * otherwise espeak-ng, which must be installed; `builtin` or `espeak-ng`: always that one. Default: the environment
   * variable MOSS_SPEECH_PHONEMIZER, or `auto`.
   */
  phonemizer?: 'auto' | 'builtin' | 'espeak-ng'
  /**
   * How words are pronounced: IPA (`{ MOSS: 'ˈmɔs' }`) or, for Mandarin, pinyin with tone digits (`{ 重庆: 'chong2 qing4'
   * }`). They take precedence over those of the session. They have no effect on the replies of nano's language model,
   * which are generated as units, not read from text (docs/text.md).
   */
  pronunciations?: Readonly<Record<string, string>>
  /**
   * A whole number from 0 to 2^53 - 1: equal seeds give equal replies in equal sessions. Default: the next one of the
   * session's sequence.
   */
  seed?: number
  /** Stops the work when it aborts; the call rejects with {@link AbortedError}. */
  signal?: AbortSignal
}

/** The progress of a transcription. */
export interface TranscribeProgress {
  /** Seconds of speech that have been processed. */
  seconds: number
  /** Seconds of the whole speech. */
  total: number
}

/** Options of {@link Session.transcribe}. */
export interface TranscribeOptions {
  /** As for a reply, 0–2. Default 0: the most probable text. */
  temperature?: number
  /**
   * Whether to look for speech in the recording first, if the model can (`model.info().vad`; nano can). A recording in
   * which nobody speaks is then `noSpeech`, silence around speech is left out, and a long recording is transcribed
   * utterance by utterance. If false, the whole recording is taken as one utterance. Default true.
   */
  vad?: boolean
  /** Called at most ten times a second while long speech is transcribed. */
  onProgress?: (progress: TranscribeProgress) => void
  /** Stops the work when it aborts; the call rejects with {@link AbortedError}. */
  signal?: AbortSignal
}

/** Options of {@link Session.features}. */
export interface FeaturesOptions {
  /** Stops the work when it aborts; the call rejects with {@link AbortedError}. */
  signal?: AbortSignal
}

/**
 * The parts of a composed model: their files, or `nano` for the bundle that comes with the package. At least one is
 * required.
 */
export interface ModelParts {
  /** Hears: an encoder whose CTC head writes letters, or a bundle. */
  encoder?: string | URL
  /** Answers in writing: a Qwen3 or Llama language model, or a bundle. */
  lm?: string | URL
  /** Speaks: a Piper or MMS voice, or a bundle. */
  voice?: string | URL
}

/** How keys and values are stored, in the order of the native part. */
export const KV_CACHE_TYPES = ['f32', 'f16', 'q8_0'] as const
export type KvCacheType = (typeof KV_CACHE_TYPES)[number]

/** Options of {@link loadModel}. */
export interface LoadOptions {
  /**
   * Positions of the language model's context in a session, 16 to `model.info().maxNCtx`; its memory grows as it is used. Default: the model's, and 4096 at most
   * for an imported language model.
   */
  contextLength?: number
  /**
   * How the language model's keys and values are stored: `f16` (default), `f32`, or `q8_0`, which takes a little more than half of `f16`'s memory.
   */
  kvCacheType?: KvCacheType
  /**
   * The most bytes that the keys and values of all sessions may take together. What would exceed it is refused with {@link OutOfMemoryError}, and the
   * conversation stays as it was. Default: no limit but the memory that there is.
   */
  kvCacheBytes?: number
  /**
   * The number of threads that a computation uses, 1–256. In a composed model this applies to each part, of which two
   * may work at a time. Default: half of the logical CPUs, 8 at most.
   */
  threads?: number
}

/** Options of {@link Model.createSession}. */
export interface SessionOptions {
  /** Imported language models: the system prompt. Default: that of the model's chat template. */
  system?: string
  /**
   * Imported language models with a thinking mode, such as Qwen3: whether they may reason in writing before they
   * answer. Default false.
   */
  thinking?: boolean
  /**
   * What happens when a new turn does not fit the context. `slide`: whole old turns are forgotten, the oldest first, until an eighth of the
   * context is free for the reply, whose `dropped` says how many they were; the system prompt stays. `error`: {@link PromptTooLongError}.
   * Default `slide`.
   */
  contextOverflow?: 'slide' | 'error'
  /**
   * Turns that took place elsewhere: messages of the user and the assistant in turn, at first perhaps one of the system (in place of
   * `system`). The first call that needs the conversation reads them. Messages of the user need a text. Nano speaks a reply whose `units`
   * are not given as `speak` does.
   */
  history?: readonly Message[]
  /** How words are pronounced when text is read aloud, as in {@link SpeakOptions}. */
  pronunciations?: Readonly<Record<string, string>>
  /** The seed of all random numbers of the session, a whole number from 0 to 2^53 - 1. Default: random. */
  seed?: number
}

export const CONTEXT_OVERFLOWS = ['slide', 'error'] as const

/** Options of {@link Model.loadSession}, in place of those that the session was saved with. */
export interface LoadSessionOptions {
  /** As in {@link SessionOptions}. */
  contextOverflow?: 'slide' | 'error'
  /** As in {@link SessionOptions}. */
  pronunciations?: Readonly<Record<string, string>>
  /** Stops the work when it aborts; the call rejects with {@link AbortedError}. */
  signal?: AbortSignal
}

/** Options of {@link Session.save}. */
export interface SaveSessionOptions {
  /** Stops the work when it aborts; the call rejects with {@link AbortedError}, and leaves no file. */
  signal?: AbortSignal
}

function fail(option: string, expected: string, found: unknown): never {
  const shown = typeof found === 'string' ? JSON.stringify(found) : String(found)
  const details: ErrorDetails = { option, expected, found: shown }
  throw new InvalidArgumentError(`${option} must be ${expected}, not ${shown}`, details)
}

/**
 * Checks that options are a plain object or undefined. Unknown names are refused, so that a misspelled option does not
 * go unnoticed.
 */
export function checkOptions<T extends object>(
  name: string,
  options: T | undefined,
  known: readonly (keyof T & string)[],
): T {
  if (options === undefined) return {} as T
  if (typeof options !== 'object' || options === null || Array.isArray(options)) fail(name, 'an object', options)
  const unknown = Object.keys(options).find(key => !(known as readonly string[]).includes(key))
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`there is no option ${unknown}; there are ${known.join(', ')}`, { option: unknown })
  }
  return options
}

/** Undefined is allowed. */
export function checkNumber(
  option: string,
  value: unknown,
  low: number,
  high: number,
  exclusiveLow = false,
): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && value <= high && (exclusiveLow ? value > low : value >= low)) return value
  return fail(
    option,
    exclusiveLow ? `a number above ${low}, at most ${high}` : `a number from ${low} to ${high}`,
    value,
  )
}

/** Undefined is allowed. */
export function checkInteger(option: string, value: unknown, low: number, high: number): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return value
  return fail(option, `a whole number from ${low} to ${high}`, value)
}

/** Undefined is allowed. */
export function checkBoolean(option: string, value: unknown): boolean | undefined {
  return value === undefined || typeof value === 'boolean' ? value : fail(option, 'true or false', value)
}

/** Undefined is allowed. */
export function checkSignal(value: unknown): AbortSignal | undefined {
  return value === undefined || value instanceof AbortSignal ? value : fail('signal', 'an AbortSignal', value)
}

/** Undefined is allowed. */
export function checkFunction<T>(option: string, value: T): T {
  return value === undefined || typeof value === 'function' ? value : fail(option, 'a function', value)
}

/** The index of a name in a list. Undefined is allowed. */
export function checkName(option: string, value: unknown, names: readonly string[]): number | undefined {
  if (value === undefined) return undefined
  const index = typeof value === 'string' ? names.indexOf(value) : -1
  return index >= 0 ? index : fail(option, `one of ${names.join(', ') || '(this model has none)'}`, value)
}

/**
 * The index of a voice; for a mixture, the share of each voice (together 1) and the index of the voice with the largest
 * one. Undefined is allowed.
 */
export function checkVoice(
  value: unknown,
  names: readonly string[],
): { voice?: number | undefined; mix?: Float32Array } {
  if (typeof value !== 'object' || value === null) return { voice: checkName('voice', value, names) }
  const mix = new Float32Array(names.length)
  for (const [name, share] of Object.entries(value)) {
    if (!(typeof share === 'number' && share > 0 && share <= 1e6)) fail(`voice.${name}`, 'a number above 0', share)
    mix[checkName('voice', name, names) ?? 0] = share
  }
  const sum = mix.reduce((total, share) => total + share, 0)
  if (sum === 0) fail('voice', 'at least one name with its share', value)
  return { voice: mix.indexOf(Math.max(...mix)), mix: mix.map(share => share / sum) }
}

/** The path that a string or a `file:` URL stands for; undefined if it is neither. */
export function checkPath(value: unknown): string | undefined {
  const path = value instanceof URL && value.protocol === 'file:' ? fileURLToPath(value) : value
  return typeof path === 'string' && path !== '' && !path.includes('\0') ? path : undefined
}

/** Checks that a text is not empty or too long. */
export function checkText(option: string, value: unknown, longest: number): string {
  if (typeof value !== 'string') return fail(option, 'a string', value)
  if (value.trim() === '') throw new InvalidArgumentError(`${option} is empty`, { option })
  if (value.length > longest) {
    throw new InvalidArgumentError(`${option} has ${value.length} characters; at most ${longest} are taken at once`, {
      option,
      limit: longest,
    })
  }
  return value
}

export const SEED_MAX = Number.MAX_SAFE_INTEGER
