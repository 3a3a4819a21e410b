import { InvalidArgumentError } from '../errors.js'
import { Marks, withoutMarks, type FixedWord, type Prosody } from './marks.js'
import { Lexicon, type Pronunciations } from './pronunciations.js'
import { splitSentences } from './sentences.js'
import type { ScriptPart, SsmlVoice } from './ssml/read.js'

/* Converts a text or SSML to a sequence of utterances and pauses, in the symbols of a voice. */

/** A text to be spoken. */
export interface Script {
  /** A plain text, or an SSML document. */
  text: string
  isSsml: boolean
  /** A checked lexicon as JSON, or ''. */
  pronunciations: string
  /** The voices of the model, which SSML may name. */
  voices: SsmlVoice['voices']
}

/** A plain text without options. */
export const plainScript = (text: string): Script => ({ text, isSsml: false, pronunciations: '', voices: [] })

/** What a voice speaks at once: a sentence, or a part of a long one. */
export interface Utterance {
  text: string
  symbols: string[]
  /** One for each symbol; undefined if all are neutral. */
  prosody?: Prosody[]
  /** The index of a voice of the model, if SSML names one. */
  voice?: number
}

/** Silence (`frequency` 0), or a tone that covers a word. */
export interface Tone {
  seconds: number
  frequency: number
}

export const isTone = (part: object): part is Tone => 'frequency' in part

/** How the front end of a voice makes its symbols. */
export interface FrontEnd {
  /** Converts a sentence. Each mark of marks.ts in it becomes one symbol. */
  toSymbols: (sentence: string) => Promise<string[]>
  /** Converts a word with a given pronunciation. Throws if the voice lacks a symbol. */
  spell: (word: FixedWord) => string[]
  /** Applied to all symbols after the words with given pronunciations have been inserted. */
  finish?: (symbols: string[]) => string[]
  isKnown: (symbol: string) => boolean
  hasPitch: boolean
  /** The most symbols of one utterance. */
  longest: number
}

const PAUSE = /^[,;:.?!，；：、。？！…—]$/u

let lexicon: { json: string; words: Lexicon } = { json: '', words: new Lexicon({}) }

/** Parses a lexicon; that of the last call is cached. */
function lexiconOf(json: string): Lexicon {
  if (lexicon.json !== json) lexicon = { json, words: new Lexicon(JSON.parse(json || '{}') as Pronunciations) }
  return lexicon.words
}

async function partsOf(script: Script, marks: Marks, frontEnd: FrontEnd): Promise<ScriptPart[]> {
  const words = lexiconOf(script.pronunciations)
  const lookUp = (text: string): string => words.apply(text, marks)
  if (!script.isSsml) return [{ kind: 'text', text: lookUp(withoutMarks(script.text)) }]
  const { readSsml } = await import('./ssml/read.js')
  const voice = {
    voices: script.voices,
    hasPitch: frontEnd.hasPitch,
    check: (word: FixedWord) => void frontEnd.spell(word),
  }
  return readSsml(script.text, marks, voice, lookUp)
}

/** Symbols, each with the index of its prosody. */
interface Marked {
  symbols: string[]
  prosodies: number[]
}

/** Removes the marks for changes of the prosody, and assigns a prosody to each symbol. */
function marked(
  symbols: readonly string[],
  marks: Marks,
  state: { prosody: number },
  isKnown: FrontEnd['isKnown'],
): Marked {
  const out: Marked = { symbols: [], prosodies: [] }
  for (const symbol of symbols) {
    const change = marks.prosodyOf(symbol)
    if (change !== undefined) state.prosody = change
    else if (isKnown(symbol)) {
      // Drops a pause at the beginning, and repeated spaces.
      const last = out.symbols.at(-1)
      if (last === undefined ? symbol === ' ' || PAUSE.test(symbol) : symbol === ' ' && last === ' ') continue
      out.symbols.push(symbol)
      out.prosodies.push(state.prosody)
    }
  }
  while (out.symbols.at(-1) === ' ') {
    out.symbols.pop()
    out.prosodies.pop()
  }
  return out
}

/** Divides at the last pause before the limit, otherwise between words, otherwise anywhere. */
function divide({ symbols, prosodies }: Marked, longest: number): Marked[] {
  if (symbols.length <= longest) return [{ symbols, prosodies }]
  const head = symbols.slice(0, longest)
  const pause = head.findLastIndex((symbol, i) => PAUSE.test(symbol) && i > longest / 4) + 1
  const cut = pause || head.lastIndexOf(' ') + 1 || longest
  let next = cut
  while (symbols[next] === ' ') next++
  let end = cut
  while (symbols[end - 1] === ' ') end--
  const rest = { symbols: symbols.slice(next), prosodies: prosodies.slice(next) }
  return [{ symbols: symbols.slice(0, end), prosodies: prosodies.slice(0, end) }, ...divide(rest, longest)]
}

/**
 * @throws {@link InvalidArgumentError} nothing in the text can be read, or the SSML is malformed; {@link
 * UnsupportedError} the voice cannot do what it asks for
 */
export async function prepareSpeech(script: Script, frontEnd: FrontEnd): Promise<(Utterance | Tone)[]> {
  const marks = new Marks()
  const out: (Utterance | Tone)[] = []
  const state = { prosody: 0 }
  for (const part of await partsOf(script, marks, frontEnd)) {
    if (part.kind === 'tone') {
      out.push({ seconds: part.seconds, frequency: part.frequency })
      continue
    }
    for (const sentence of splitSentences(part.text)) {
      const symbols = (await frontEnd.toSymbols(sentence)).flatMap(symbol => {
        const word = symbol.length === 1 ? marks.wordOf(symbol) : undefined
        return word ? frontEnd.spell(word) : [symbol]
      })
      const whole = marked(frontEnd.finish?.(symbols) ?? symbols, marks, state, frontEnd.isKnown)
      if (!whole.symbols.some(symbol => /[\p{L}\p{N}]/u.test(symbol))) continue // it has only pauses
      for (const { symbols, prosodies } of divide(whole, frontEnd.longest)) {
        const utterance: Utterance = { text: marks.written(sentence), symbols }
        const changed = prosodies.some(place => place !== 0)
        if (changed)
          utterance.prosody = prosodies.map(place => marks.prosodies[place] ?? { speed: 1, pitch: 0, gain: 1 })
        if (part.voice !== undefined) utterance.voice = part.voice
        out.push(utterance)
      }
    }
  }
  if (out.length > 0) return out
  const option = script.isSsml ? 'ssml' : 'text'
  throw new InvalidArgumentError(
    `nothing in the ${option} can be read aloud: it holds no words that this voice can speak`,
    { option },
  )
}
