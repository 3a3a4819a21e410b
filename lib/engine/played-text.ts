/** How fast sentences are spoken, before one was spoken to its end. */
const LETTERS_A_SECOND = 15
const HAN_A_SECOND = 4.5

const HAN = /\p{Script=Han}/u

interface Sentence {
  text: string
  seconds: number
  /** Whether all of its audio is there. */
  whole: boolean
}

/** The sentences of a reply that is spoken, with their times: tells which words were heard until the player stopped. */
export class PlayedText {
  readonly #sentences: Sentence[] = []

  /** The audio after this belongs to a new sentence. */
  begin(text: string): void {
    this.#sentences.push({ text: text.trim(), seconds: 0, whole: false })
  }

  /** Adds audio to the sentence. */
  add(seconds: number): void {
    const last = this.#sentences.at(-1)
    if (last) last.seconds += seconds
  }

  /** The sentence has all of its audio. */
  end(): void {
    const last = this.#sentences.at(-1)
    if (last) last.whole = true
  }

  /**
   * The text that was heard in the first `seconds` of the audio. Within a sentence, the words are taken to be spoken at an even pace, and a
   * word that was not heard to its end does not count.
   */
  until(seconds: number): string {
    const heard: string[] = []
    for (const sentence of this.#sentences) {
      if (sentence.whole && sentence.seconds <= seconds) heard.push(sentence.text)
      else if (seconds > 0) heard.push(firstWords(sentence.text, seconds / this.#duration(sentence)))
      seconds -= sentence.seconds
      if (seconds <= 0) break
    }
    const [first = ''] = heard
    return heard.filter(text => text !== '').join(HAN.test(first) ? '' : ' ')
  }

  /** The length of a sentence; estimated from the others if not all of its audio is there. */
  #duration({ text, seconds, whole }: Sentence): number {
    if (whole) return seconds
    const done = this.#sentences.filter(sentence => sentence.whole && sentence.seconds > 0)
    const letters = done.reduce((sum, sentence) => sum + sentence.text.length, 0)
    const spoken = done.reduce((sum, sentence) => sum + sentence.seconds, 0)
    const pace = done.length > 0 ? letters / spoken : HAN.test(text) ? HAN_A_SECOND : LETTERS_A_SECOND
    return Math.max(seconds, text.length / pace)
  }
}

/** The words that end within a share of the text's length. */
function firstWords(text: string, share: number): string {
  const limit = share * text.length
  const ends = [...text.matchAll(HAN.test(text) ? /./gsu : /\S+/g)].map(match => match.index + match[0].length)
  const end = ends.filter(at => at <= limit).at(-1) ?? 0
  return text.slice(0, end)
}
