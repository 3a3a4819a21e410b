import { InvalidArgumentError } from '../errors.js'
import type { FixedWord, Marks } from './marks.js'
import { alphabetOf, spellFixed } from './phonetics.js'
import type { VoiceText } from './voice-text.js'

/* A user's lexicon: words and their pronunciations. */

const MOST = 10_000
const LONGEST_WORD = 100
const LONGEST_PHONEMES = 300

/** Words as they are written, and their pronunciations: IPA, or pinyin with tone digits. */
export type Pronunciations = Readonly<Record<string, string>>

const fail = (message: string, details: object): never => {
  throw new InvalidArgumentError(message, { option: 'pronunciations', ...details })
}

/**
 * Checks a lexicon, and that the voice has all of its symbols.
 *
 * @throws {@link InvalidArgumentError} names the entry and the symbol; {@link UnsupportedError} the voice reads letters
 */
export function checkPronunciations(value: unknown, voice: VoiceText | undefined): Pronunciations {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return fail('pronunciations must be an object of words and their sounds, such as { MOSS: "ˈmɔs" }', {})
  const entries = Object.entries(value as Record<string, unknown>)
  if (entries.length > MOST) return fail(`pronunciations has ${entries.length} entries; at most ${MOST} are taken`, {})
  for (const [text, phonemes] of entries) {
    if (text.trim() !== text || !/[\p{L}\p{N}]/u.test(text) || text.length > LONGEST_WORD)
      fail(`pronunciations: ${JSON.stringify(text)} is no word of 1 to ${LONGEST_WORD} characters`, { word: text })
    if (typeof phonemes !== 'string' || phonemes.trim() === '' || phonemes.length > LONGEST_PHONEMES)
      fail(`pronunciations: the sounds of ${JSON.stringify(text)} must be a string of IPA or pinyin`, { word: text })
    else spellFixed({ text, alphabet: alphabetOf(phonemes), phonemes }, voice)
  }
  return value as Pronunciations
}

const isWordly = (c: string | undefined): boolean => c !== undefined && /[\p{L}\p{N}]/u.test(c)
const isHan = (c: string | undefined): boolean => c !== undefined && /\p{Script=Han}/u.test(c)

/** A lexicon with an index for lookup. */
export class Lexicon {
  /** By the first letter in lower case, the longest word first. */
  readonly #words = new Map<string, [word: string, phonemes: string][]>()

  constructor(pronunciations: Pronunciations) {
    for (const entry of Object.entries(pronunciations)) {
      const first = entry[0].charAt(0).toLowerCase()
      const same = this.#words.get(first)
      if (same) same.push(entry)
      else this.#words.set(first, [entry])
    }
    // Of words of the same length, those with capitals come first: an exact match takes precedence over one that
    // ignores case.
    for (const same of this.#words.values()) same.sort((a, b) => b[0].length - a[0].length || (a[0] < b[0] ? -1 : 1))
  }

  /** The entry for the word at a position of the text. Entries in lower case match any case; others match exactly. */
  #at(text: string, lower: string, at: number): [length: number, phonemes: string] | undefined {
    for (const [word, phonemes] of this.#words.get(lower.charAt(at)) ?? []) {
      const isSame = text.startsWith(word, at) || (word === word.toLowerCase() && lower.startsWith(word, at))
      const after = text.charAt(at + word.length)
      if (isSame && (!isWordly(after) || isHan(word.at(-1)) || isHan(after))) return [word.length, phonemes]
    }
    return undefined
  }

  /** Replaces the lexicon's words in a text by marks. */
  apply(text: string, marks: Marks): string {
    if (this.#words.size === 0) return text
    const lowered = text.toLowerCase()
    const lower = lowered.length === text.length ? lowered : text
    let out = ''
    for (let at = 0; at < text.length;) {
      const begins = !isWordly(text.charAt(at - 1)) || isHan(text.charAt(at - 1)) || isHan(text.charAt(at))
      const found = begins ? this.#at(text, lower, at) : undefined
      if (!found) {
        out += text.charAt(at++)
        continue
      }
      const [length, phonemes] = found
      const possessive = /^['’]s(?![\p{L}\p{N}])/u.exec(text.slice(at + length, at + length + 3))?.[0] ?? ''
      const written = text.slice(at, at + length + possessive.length)
      out += marks.fix(withEnding({ text: written, alphabet: alphabetOf(phonemes), phonemes }, possessive !== ''))
      at += written.length
    }
    return out
  }
}

/** Appends the possessive 's of English. */
function withEnding(word: FixedWord, isPossessive: boolean): FixedWord {
  if (!isPossessive || word.alphabet !== 'ipa') return word
  const last = word.phonemes.trim().at(-1) ?? ''
  const ending = /[szʃʒ]/.test(last) ? 'ɪz' : /[ptkfθ]/.test(last) ? 's' : 'z'
  return { ...word, phonemes: word.phonemes.trim() + ending }
}
