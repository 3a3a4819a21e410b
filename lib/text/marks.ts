/*
 * Marks that the text front end puts into a text: for words with a given pronunciation, and for changes of the prosody.
 * They are characters of Unicode's private use area, which is first removed from the user's text. All steps of the
 * front end pass them through like unknown letters.
 */

/** Before letters that are read one by one: `\uf8ffusb`. */
export const SPELL = '\uf8ff'
/** A mark for a word with a given pronunciation. */
export const FIXED = '[\\ue000-\\uefff]'
/** A mark after which the prosody is different. */
export const CHANGE = '[\\uf000-\\uf7ff]'

const FIRST_FIXED = 0xe000
const FIRST_CHANGE = 0xf000
const MOST_FIXED = 0x1000
const MOST_CHANGES = 0x800

/** Marks letters that are read one by one; other characters are removed. */
export function spelled(letters: string): string {
  return `${SPELL}${letters.replace(/[^A-Za-z]/g, '').toLowerCase()}`
}

export type Alphabet = 'ipa' | 'pinyin'

/** A word with a given pronunciation. */
export interface FixedWord {
  /** The word as it is written. */
  text: string
  alphabet: Alphabet
  phonemes: string
}

/** How something is spoken, in addition to the session's options. */
export interface Prosody {
  /** A factor. */
  speed: number
  /** Semitones. */
  pitch: number
  /** A factor on the samples. */
  gain: number
}

const NEUTRAL: Prosody = { speed: 1, pitch: 0, gain: 1 }

/** The meaning of the marks in a text. */
export class Marks {
  readonly #fixed: FixedWord[] = []
  readonly #places = new Map<string, number>()
  /** [0] is the prosody before the first mark. */
  readonly prosodies: Prosody[] = [NEUTRAL]

  /** The mark of a word; '' if there are too many different words. */
  fix(word: FixedWord): string {
    const key = JSON.stringify(word)
    let place = this.#places.get(key)
    if (place === undefined) {
      if (this.#fixed.length === MOST_FIXED) return word.text
      place = this.#fixed.push(word) - 1
      this.#places.set(key, place)
    }
    return String.fromCharCode(FIRST_FIXED + place)
  }

  /** The mark of a change; '' if there are too many different ones. */
  change(prosody: Prosody): string {
    const same = (p: Prosody): boolean =>
      p.speed === prosody.speed && p.pitch === prosody.pitch && p.gain === prosody.gain
    let place = this.prosodies.findIndex(same)
    if (place < 0 && this.prosodies.length === MOST_CHANGES) return ''
    if (place < 0) place = this.prosodies.push(prosody) - 1
    return String.fromCharCode(FIRST_CHANGE + place)
  }

  /** The word of a mark. */
  wordOf(sign: string): FixedWord | undefined {
    return this.#fixed[sign.charCodeAt(0) - FIRST_FIXED]
  }

  /** The prosody that begins at a mark, as an index into {@link prosodies}; undefined for any other character. */
  prosodyOf(sign: string): number | undefined {
    const place = sign.charCodeAt(0) - FIRST_CHANGE
    return sign.length === 1 && place >= 0 && place < this.prosodies.length ? place : undefined
  }

  /** A text as it was written. */
  written(text: string): string {
    return text.replace(/[\ue000-\uf8ff]/g, sign => this.wordOf(sign)?.text ?? '')
  }
}

/** Removes the characters that would be taken for marks from a user's text. */
export const withoutMarks = (text: string): string => text.replace(/[\ue000-\uf8ff]/g, '')
