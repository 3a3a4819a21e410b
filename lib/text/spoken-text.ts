import { sentencePieces } from './sentences.js'

/* Turns the streamed text of a language model into sentences for a voice. Markdown and emoji are not spoken. */

/** A sentence that grows longer than this is spoken in parts, so that speech need not wait for its end. */
const LONGEST = 240
/** Delimiters (start → end) of parts that are not spoken at all: code, and the reasoning of thinking models. */
const UNSPOKEN: Record<string, string> = { '```': '```', '~~~': '~~~', '<think>': '</think>' }
const UNSPOKEN_BEGIN = /```|~~~|<think>/

const EMOJI =
  /\p{Extended_Pictographic}(?:[\ufe0f\u20e3]|\p{Emoji_Modifier}|\u200d\p{Extended_Pictographic})*|\p{Regional_Indicator}|[\ufe0f\u20e3]/gu

/** Collects a streamed text and returns the sentences to be spoken. */
export class SpokenText {
  #rest = ''
  /** The end delimiter of the unspoken part in which the text currently is. */
  #until: string | undefined

  /** Adds a piece and returns the sentences that are now complete. A sentence is complete when the next one has begun. */
  push(piece: string): string[] {
    this.#rest += piece
    const whole: string[] = []
    while (this.#skip(whole));
    if (this.#until === undefined) {
      const pieces = sentencePieces(this.#rest)
      this.#rest = pieces.pop() ?? ''
      whole.push(...pieces, ...this.#cut())
    }
    return whole.map(speakable).filter(hasWords)
  }

  /** Returns the rest at the end of the text. */
  end(): string[] {
    const rest = this.#until === undefined ? this.#rest : ''
    this.#rest = ''
    return sentencePieces(rest).map(speakable).filter(hasWords)
  }

  /** Advances past the next start or end of an unspoken part; returns false if there is none. */
  #skip(whole: string[]): boolean {
    if (this.#until !== undefined) {
      const end = this.#rest.indexOf(this.#until)
      // The end of the unspoken text is kept, because it may be the beginning of the end delimiter.
      this.#rest = end < 0 ? this.#rest.slice(1 - this.#until.length) : this.#rest.slice(end + this.#until.length)
      if (end >= 0) this.#until = undefined
      return end >= 0
    }
    const begin = UNSPOKEN_BEGIN.exec(this.#rest)
    if (!begin) return false
    whole.push(...sentencePieces(this.#rest.slice(0, begin.index)))
    this.#rest = this.#rest.slice(begin.index + begin[0].length)
    this.#until = UNSPOKEN[begin[0]]
    return true
  }

  /** Cuts a sentence that is too long: at a pause, otherwise at a space, otherwise anywhere. */
  #cut(): string[] {
    const parts: string[] = []
    while (this.#rest.length > LONGEST) {
      const head = this.#rest.slice(0, LONGEST)
      const pause = Math.max(...Array.from(',;:，；：、', sign => head.lastIndexOf(sign))) + 1
      const at = pause > LONGEST / 3 ? pause : head.lastIndexOf(' ') + 1 || LONGEST
      parts.push(this.#rest.slice(0, at))
      this.#rest = this.#rest.slice(at)
    }
    return parts
  }
}

/** Removes what cannot be spoken from a sentence: Markdown, tags, URLs and emoji. */
export function speakable(sentence: string): string {
  return sentence
    .replace(/!?\[([^\]\n]*)\]\([^)\s]*\)/g, '$1') // links and images become their text
    .replace(/<?\bhttps?:\/\/[^\s<>]*[^\s<>.,;:!?)\]]>?/gi, ' ')
    .replace(/<\/?[a-z][^<>]*>/gi, ' ')
    .replace(/^\s*(?:>\s*)*(?:#{1,6}\s+|[-*+•]\s+(?:\[[ x]\]\s+)?)?/i, '') // block quote, heading, list item
    .replace(/^(\d+)[.)]\s+/, '$1, ') // numbered list item
    .replace(/\|/g, ', ') // table cells
    .replace(/(\d)\s*\*\s*(?=\d)/g, '$1 × ')
    .replace(/[*`~\\]+|(?<![\p{L}\p{N}])_+|_+(?![\p{L}\p{N}])/gu, '')
    .replace(/_/g, ' ')
    .replace(EMOJI, ' ')
    .replace(/(?:\s*,)+\s*(?=,)|^[\s,]+/g, '')
    .replace(/\s+/g, ' ')
    .replace(/ (?=[,.;:!?])/g, '')
    .trim()
}

const hasWords = (text: string): boolean => /[\p{L}\p{N}]/u.test(text)
