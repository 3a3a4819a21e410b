import { ModelFormatError } from '../errors.js'

/*
 * How text becomes the ids of an imported voice: `moss-speech.voice.text`, JSON. Written by the converters, read by the
 * text front end.
 */

/** Symbols (phonemes, letters, punctuation) and the ids of each. */
export type PhonemeMap = Readonly<Record<string, readonly number[]>>

export interface VoiceText {
  /**
   * The kind of symbols: `espeak` (espeak-ng's phonemes, one code point each), `pinyin` (initials, finals, tones),
   * `text` (code points of the text itself), `characters` (letters, as in transformers' tokenizer). Other values name
   * front ends that this package does not have.
   */
  readonly input: string
  /** espeak-ng's name of the language: `en-us`, `cmn`. */
  readonly espeakVoice?: string
  readonly symbols: PhonemeMap
  /** Sequences of code points that are one symbol. */
  readonly clusters?: readonly string[]
  /** The ids before a sentence, after each symbol (`pinyin`: after each tone and pause), and after the sentence. */
  readonly before: readonly number[]
  readonly between: readonly number[]
  readonly after: readonly number[]
  /** `characters`: convert to lower case, and leave out characters that the voice does not know. */
  readonly lowerCase?: boolean
  /** `characters`: the voice reads uroman's romanization. */
  readonly uroman?: boolean
  /** `characters`: the tokenizer's name of the language. */
  readonly language?: string
}

const isIds = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every(id => Number.isInteger(id) && (id as number) >= 0 && (id as number) <= 0x7fffffff)

/** Whether a value from a file is a {@link PhonemeMap} that is not empty. */
export function isPhonemeMap(value: unknown): value is PhonemeMap {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const lists = Object.values(value)
  return lists.length > 0 && lists.every(isIds)
}

const isOptional = (value: unknown, type: 'string' | 'boolean'): boolean => value === undefined || typeof value === type

/** @throws {@link ModelFormatError} if it is not a {@link VoiceText} */
export function parseVoiceText(json: string): VoiceText {
  const fail = (expected: string, cause?: unknown): never => {
    const key = 'moss-speech.voice.text'
    throw new ModelFormatError(`${key}: expected ${expected}`, { key, expected }, { cause })
  }
  let found: VoiceText
  try {
    found = JSON.parse(json) as VoiceText
  } catch (cause) {
    return fail('JSON', cause)
  }
  if (typeof found !== 'object' || (found as unknown) === null) return fail('an object')
  if (typeof found.input !== 'string') return fail('input, a string')
  if (!isPhonemeMap(found.symbols)) return fail('symbols with lists of ids')
  for (const list of ['before', 'between', 'after'] as const)
    if (!isIds(found[list])) return fail(`${list}, a list of ids`)
  if (!isOptional(found.espeakVoice, 'string')) return fail('espeakVoice, a string')
  if (!isOptional(found.language, 'string')) return fail('language, a string')
  if (!isOptional(found.lowerCase, 'boolean')) return fail('lowerCase, true or false')
  if (!isOptional(found.uroman, 'boolean')) return fail('uroman, true or false')
  const { clusters } = found as { clusters?: unknown }
  if (clusters !== undefined && !(Array.isArray(clusters) && clusters.every(c => typeof c === 'string')))
    return fail('clusters, strings')
  return found
}
