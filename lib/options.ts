import type { ErrorDetails } from './errors.js'
import { InvalidArgumentError } from './errors.js'

/** How a session's reply is made. All of it is optional. */
export interface GenerateOptions extends SpeakOptions {
  /**
   * What the reply is to hold: `speech` (the audio, and its units), `text`, or `both`. Default `both`, and `text` where the model has
   * no voice.
   */
  output?: 'speech' | 'text' | 'both'
  /** Randomness of the language model, 0–2; 0 always takes the likeliest. Default: the model's. */
  temperature?: number
  /** Draws only from the likeliest that make up this probability, above 0 to 1. Default: the model's. */
  topP?: number
  /** Draws only from this many likeliest, a whole number; 0 is off. Default: the model's. */
  topK?: number
  /** The longest text of a reply in tokens, a whole number above 0. Default 512. */
  maxTokens?: number
  /** The longest reply in seconds, above 0 to 600; what is longer is cut there. Default 60. */
  maxSeconds?: number
  /**
   * For spoken input: also transcribe what was heard (`reply.heard.text`), at the cost of a second short reply. Default false. A composed
   * model always does.
   */
  transcribe?: boolean
  /** For spoken input, as in {@link TranscribeOptions}. */
  vad?: boolean
}

/** How text is spoken. All of it is optional. */
export interface SpeakOptions {
  /** A voice by name, one of `model.info().voices`. Default: the model's voice for the language that is spoken. */
  voice?: string
  /** 0.5–2; 2 is twice as fast. Default 1. */
  speed?: number
  /** One of `model.info().emotions`. Default: neutral. Imported voices have none. */
  emotion?: string
  /** Liveliness of the sound, 0–2; 0 takes out all chance. Default: the model's. */
  noiseScale?: number
  /** Imported voices: liveliness of the rhythm, 0–2. Default: the voice's. */
  noiseW?: number
  /** Imported voices: factor on the length of all sounds, 0.1–10; besides `speed`. Default: the voice's. */
  lengthScale?: number
  /**
   * Imported voices that speak phonemes: who makes them of the text. `auto`: this package for English and Mandarin, else espeak-ng, which
   * must be installed; `builtin` and `espeak-ng`: that one always. Default: the environment variable MOSS_SPEECH_PHONEMIZER, or `auto`.
   */
  phonemizer?: 'auto' | 'builtin' | 'espeak-ng'
  /**
   * How words are said: IPA (`{ MOSS: 'ˈmɔs' }`) or, of Mandarin, pinyin with tone digits (`{ 重庆: 'chong2 qing4' }`); besides and before the
   * session's own. What nano answers with its language model is no text, and has none (docs/text.md).
   */
  pronunciations?: Readonly<Record<string, string>>
  /** A whole number from 0 to 2^53 - 1: equal seeds give equal replies in equal sessions. Default: the next of the session's own. */
  seed?: number
  /** Stops the work when it aborts; the call rejects with {@link AbortedError}. */
  signal?: AbortSignal
}

/** How far a transcription is. */
export interface TranscribeProgress {
  /** Heard so far. */
  seconds: number
  /** Of the whole speech. */
  total: number
}

/** Options of {@link Session.transcribe}. */
export interface TranscribeOptions {
  /** As for a reply, 0–2. Default 0: the likeliest text. */
  temperature?: number
  /**
   * Whether speech is told from what is none, where the model can (`model.info().vad`; nano can): a recording in which nobody speaks is
   * `noSpeech`, silence around the speech is left out, and a long recording is transcribed utterance by utterance. False: all of it is
   * heard as if it were one utterance. Default true.
   */
  vad?: boolean
  /** Called now and then, at most ten times a second, while long speech is heard. */
  onProgress?: (progress: TranscribeProgress) => void
  /** Stops the work when it aborts; the call rejects with {@link AbortedError}. */
  signal?: AbortSignal
}

/** Options of {@link Session.features}. */
export interface FeaturesOptions {
  /** Stops the work when it aborts; the call rejects with {@link AbortedError}. */
  signal?: AbortSignal
}

/** What a model is composed of: the files of its parts, or `nano` for the bundle that comes with the package. One at least. */
export interface ModelParts {
  /** Hears: an encoder whose CTC head writes letters, or a bundle. */
  encoder?: string | URL
  /** Answers in writing: a Qwen3 or Llama language model, or a bundle. */
  lm?: string | URL
  /** Speaks: a Piper or MMS voice, or a bundle. */
  voice?: string | URL
}

/** Options of {@link loadModel}. */
export interface LoadOptions {
  /**
   * Positions of the language model's context in a session, 16 to `model.info().maxNCtx`; its memory grows as it is used. Default: the model's, and 4096 at most
   * for an imported language model.
   */
  contextLength?: number
  /** Threads a computation uses, 1–256; in a composed model each part, of which two may work at a time. Default: half of the logical CPUs, 8 at most. */
  threads?: number
}

/** Options of {@link Model.createSession}. */
export interface SessionOptions {
  /** Imported language models: what they are told before the conversation. Default: what the model's own template says. */
  system?: string
  /** Imported language models that reason in writing before they answer, such as Qwen3: whether they may. Default false. */
  thinking?: boolean
  /** How words are said that its voice reads aloud, as in {@link SpeakOptions}. */
  pronunciations?: Readonly<Record<string, string>>
  /** The seed of everything the session draws, a whole number from 0 to 2^53 - 1. Default: random. */
  seed?: number
}

function fail(option: string, expected: string, found: unknown): never {
  const shown = typeof found === 'string' ? JSON.stringify(found) : String(found)
  const details: ErrorDetails = { option, expected, found: shown }
  throw new InvalidArgumentError(`${option} must be ${expected}, not ${shown}`, details)
}

/** A plain options object, or undefined. Names it does not know are refused: a misspelled option must not go unnoticed. */
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

/** Undefined passes. */
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

/** Undefined passes. */
export function checkInteger(option: string, value: unknown, low: number, high: number): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return value
  return fail(option, `a whole number from ${low} to ${high}`, value)
}

/** Undefined passes. */
export function checkBoolean(option: string, value: unknown): boolean | undefined {
  return value === undefined || typeof value === 'boolean' ? value : fail(option, 'true or false', value)
}

/** Undefined passes. */
export function checkSignal(value: unknown): AbortSignal | undefined {
  return value === undefined || value instanceof AbortSignal ? value : fail('signal', 'an AbortSignal', value)
}

/** Undefined passes. */
export function checkFunction<T>(option: string, value: T): T {
  return value === undefined || typeof value === 'function' ? value : fail(option, 'a function', value)
}

/** The index of a name in a list; undefined passes. */
export function checkName(option: string, value: unknown, names: readonly string[]): number | undefined {
  if (value === undefined) return undefined
  const index = typeof value === 'string' ? names.indexOf(value) : -1
  return index >= 0 ? index : fail(option, `one of ${names.join(', ') || '(this model has none)'}`, value)
}

/** A text with something in it. */
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
