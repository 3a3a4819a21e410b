import type { NativeChunk } from '../binding.js'
import { TONES } from '../text/units.js'

/** A unit that ends this much later than what was played still counts, because players report in whole periods. */
const TOLERANCE = 0.005 // seconds

const TONE = new RegExp(`[${TONES.join('')}]`, 'g')

/** The units of a spoken reply, and when their audio ends: tells how much of the reply was heard until the player stopped. */
export class PlayedUnits {
  readonly #units: string[] = []
  readonly #ends: number[] = []

  /** The text of the whole reply; undefined until the reply has ended. */
  wholeText: string | undefined

  /** @param symbols - the symbols of the units, by id */
  constructor(private readonly symbols: readonly string[]) {}

  add({ units, unitEnds }: NativeChunk): void {
    for (const id of units ?? []) this.#units.push(this.symbols[id] ?? '')
    this.#ends.push(...(unitEnds ?? []))
  }

  /** All units so far. */
  get count(): number {
    return this.#units.length
  }

  /** The first units. */
  first(count: number): string[] {
    return this.#units.slice(0, count)
  }

  /** The number of units that were heard to their end in the first `seconds` of the audio. */
  until(seconds: number): number {
    return Math.min(this.#ends.filter(end => end <= seconds + TOLERANCE).length, this.count)
  }

  /** The words of the text that the first `count` units say. */
  wordsOf(text: string, count: number): string {
    return firstWords(text, wordsIn(this.#units.slice(0, count).join('')))
  }
}

/**
 * The number of words that units say to their end: of English words in the narrow sense, of Mandarin syllables, of which there is one for
 * each tone, and one for a group without a tone. Neutral syllables within a longer group are not counted.
 */
function wordsIn(units: string): number {
  const groups = units.split(/[ ,.?!]+/)
  const last = groups.pop() ?? '' // a group that is not followed by a boundary may not have been said to its end
  const tones = (group: string): number => group.match(TONE)?.length ?? 0
  return groups.filter(group => group !== '').reduce((sum, group) => sum + Math.max(1, tones(group)), tones(last))
}

/** A Chinese character, or a word, with the punctuation after it. Hyphenated words are spoken as several. */
const WORD = /(?:\p{Script=Han}|(?:(?!\p{Script=Han})[\p{L}\p{N}'’])+)[^\p{L}\p{N}\s]*/gu

function firstWords(text: string, count: number): string {
  const words = [...text.matchAll(WORD)]
  const last = words[Math.min(count, words.length) - 1]
  return last ? text.slice(0, last.index + last[0].length) : ''
}
