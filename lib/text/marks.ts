/*
 * Signs that the text front end puts into a text for itself: words whose sounds are given, and where the prosody changes. They are of
 * Unicode's private use area, which no text needs; what a user's text has of it is taken out first. So they go through all that is done
 * to a text, as letters that nobody knows.
 */

/** Before letters that are read one by one: `\uf8ffusb`. */
export const SPELL = '\uf8ff'
/** A word whose sounds are given. */
export const FIXED = '[\\ue000-\\uefff]'
/** From here on the prosody is another. */
export const CHANGE = '[\\uf000-\\uf7ff]'

const FIRST_FIXED = 0xe000
const FIRST_CHANGE = 0xf000
const MOST_FIXED = 0x1000
const MOST_CHANGES = 0x800

/** Letters to be read one by one; signs between them are left out. */
export function spelled(letters: string): string {
  return `${SPELL}${letters.replace(/[^A-Za-z]/g, '').toLowerCase()}`
}

export type Alphabet = 'ipa' | 'pinyin'

/** A word whose sounds are given. */
export interface FixedWord {
  /** As it is written. */
  text: string
  alphabet: Alphabet
  phonemes: string
}

/** How something is spoken, besides what the session's options say. */
export interface Prosody {
  /** Factor. */
  speed: number
  /** Semitones. */
  pitch: number
  /** Factor on the samples. */
  gain: number
}

const NEUTRAL: Prosody = { speed: 1, pitch: 0, gain: 1 }

/** What the signs in a text stand for. */
export class Marks {
  readonly #fixed: FixedWord[] = []
  readonly #places = new Map<string, number>()
  /** [0] is the one without a sign before it. */
  readonly prosodies: Prosody[] = [NEUTRAL]

  /** The sign of a word; '' where there are too many different ones. */
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

  /** The sign of a change; '' where there are too many. */
  change(prosody: Prosody): string {
    const same = (p: Prosody): boolean =>
      p.speed === prosody.speed && p.pitch === prosody.pitch && p.gain === prosody.gain
    let place = this.prosodies.findIndex(same)
    if (place < 0 && this.prosodies.length === MOST_CHANGES) return ''
    if (place < 0) place = this.prosodies.push(prosody) - 1
    return String.fromCharCode(FIRST_CHANGE + place)
  }

  /** The word that a sign stands for. */
  wordOf(sign: string): FixedWord | undefined {
    return this.#fixed[sign.charCodeAt(0) - FIRST_FIXED]
  }

  /** The prosody that a sign begins, as its place in {@link prosodies}; undefined of any other. */
  prosodyOf(sign: string): number | undefined {
    const place = sign.charCodeAt(0) - FIRST_CHANGE
    return sign.length === 1 && place >= 0 && place < this.prosodies.length ? place : undefined
  }

  /** A text as it was written. */
  written(text: string): string {
    return text.replace(/[\ue000-\uf8ff]/g, sign => this.wordOf(sign)?.text ?? '')
  }
}

/** A user's text, without what would be taken for signs. */
export const withoutMarks = (text: string): string => text.replace(/[\ue000-\uf8ff]/g, '')
