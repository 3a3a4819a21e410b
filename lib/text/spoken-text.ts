import { sentencePieces } from './sentences.js'

/*
 * What a language model writes → sentences that a voice can say, as they come. Markdown and emoji are for eyes only.
 */

/** A sentence that grows longer than this is spoken in parts, so that speech need not wait for its end. */
const LONGEST = 240
/** Parts that are not spoken at all: code, and reasoning in writing. What they begin with → what they end with. */
const UNSPOKEN: Record<string, string> = { '```': '```', '~~~': '~~~', '<think>': '</think>' }
const UNSPOKEN_BEGIN = /```|~~~|<think>/

const EMOJI =
  /\p{Extended_Pictographic}(?:[\ufe0f\u20e3]|\p{Emoji_Modifier}|\u200d\p{Extended_Pictographic})*|\p{Regional_Indicator}|[\ufe0f\u20e3]/gu

/** A text that comes in pieces, as sentences to be spoken. */
export class SpokenText {
  #rest = ''
  /** What ends the part that is not spoken, while there is one. */
  #until: string | undefined

  /** The sentences that are whole with this piece. A sentence is whole when the next one has begun. */
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

  /** What is left at the text's end. */
  end(): string[] {
    const rest = this.#until === undefined ? this.#rest : ''
    this.#rest = ''
    return sentencePieces(rest).map(speakable).filter(hasWords)
  }

  /** Goes past the next beginning or end of a part that is not spoken; false: there is none. */
  #skip(whole: string[]): boolean {
    if (this.#until !== undefined) {
      const end = this.#rest.indexOf(this.#until)
      // Of what is not spoken, so much stays as may be the beginning of its end.
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

  /** The parts of a sentence that is too long: up to a pause, else a space, else anywhere. */
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

/** A sentence without what cannot be spoken: the signs of Markdown, tags, addresses of pages, emoji. */
export function speakable(sentence: string): string {
  return sentence
    .replace(/!?\[([^\]\n]*)\]\([^)\s]*\)/g, '$1') // links and pictures: their text
    .replace(/<?\bhttps?:\/\/[^\s<>]*[^\s<>.,;:!?)\]]>?/gi, ' ')
    .replace(/<\/?[a-z][^<>]*>/gi, ' ')
    .replace(/^\s*(?:>\s*)*(?:#{1,6}\s+|[-*+•]\s+(?:\[[ x]\]\s+)?)?/i, '') // quotation, heading, item of a list
    .replace(/^(\d+)[.)]\s+/, '$1, ') // item of a numbered list
    .replace(/\|/g, ', ') // cells of a table
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
