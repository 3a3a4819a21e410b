import { InvalidArgumentError } from '../errors.js'
import { englishToUnits } from './english.js'
import { mandarinToUnits } from './mandarin.js'
import { spokenTones, syllableToUnits } from './pinyin.js'
import { onlyUnits } from './units.js'

/** A sentence ready to be spoken. */
export interface UnitSentence {
  text: string
  /** Units of the alphabet, one character each. */
  units: string
  language: 'en' | 'zh'
}

/** The decoder speaks at most so many units at once; a longer sentence is divided at a pause or between words. */
const LONGEST = 300
const HAN = /\p{Script=Han}/u
const SYLLABLE = '[a-zü]+[1-5]'
const PIECES = new RegExp(
  `\\b${SYLLABLE}(?:\\s+${SYLLABLE})*\\b|[A-Za-z][A-Za-z' -]*[A-Za-z']|[A-Za-z]|[^A-Za-z]+`,
  'gu',
)
const PINYIN = new RegExp(`^${SYLLABLE}(?:\\s+${SYLLABLE})*$`, 'u')

/** `ni3 hao3` as one word; undefined where it is no pinyin (`mp3`). */
function pinyinToUnits(piece: string): string | undefined {
  if (!PINYIN.test(piece)) return undefined
  const syllables = piece.split(/\s+/).map(syllableToUnits)
  return syllables.every(s => s !== undefined) ? spokenTones(syllables.join('')) : undefined
}

async function mixedToUnits(text: string): Promise<string> {
  let out = ''
  for (const [piece] of text.matchAll(PIECES)) {
    const units =
      pinyinToUnits(piece) ?? (/^[A-Za-z]/.test(piece) ? await englishToUnits(piece) : mandarinToUnits(piece))
    if (units) out += (out && !/^[,.?!]/.test(units) ? ' ' : '') + units
  }
  return spokenTones(out)
}

async function sentenceToUnits(text: string, language: 'en' | 'zh'): Promise<string> {
  const units =
    language === 'zh' ? await mixedToUnits(text) : (pinyinToUnits(text.trim()) ?? (await englishToUnits(text)))
  return onlyUnits(units)
    .replace(/^[ ,.?!]+/, '')
    .trim()
}

const CLOSERS = `["”’」』)]`
// After 。！？…; after ! and ? unless something is glued to them (the ? of an address); after a full stop before a space; after line breaks.
const SENTENCE_END = new RegExp(
  `(?<=[。！？…]${CLOSERS}*)(?!${CLOSERS}|[。！？…!?.])|(?<=[!?]${CLOSERS}*)(?!${CLOSERS}|[\\w。！？…!?.=&/%])|` +
    `(?<=\\.${CLOSERS}*)(?=\\s)|(?<=[\\r\\n])(?![\\r\\n])`,
  'u',
)
/** What ends no sentence though a full stop ends it: abbreviations, initials, and the numbers of a list. */
const NO_SENTENCE = /(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|e\.g|i\.e|No)|\b[A-Z]|^\s*\d{1,3})\.$/

/** A text as its sentences, each with the space around it: joined they are the text. */
export function sentencePieces(text: string): string[] {
  const pieces: string[] = []
  for (const part of text.split(SENTENCE_END)) {
    const last = pieces.at(-1)
    if (last !== undefined && (NO_SENTENCE.test(last) || !part.trim())) pieces[pieces.length - 1] = last + part
    else pieces.push(part)
  }
  return pieces
}

/** Sentences end at 。！？ and line breaks, and at .!? before a space. */
export function splitSentences(text: string): string[] {
  return sentencePieces(text)
    .map(piece => piece.trim())
    .filter(piece => piece !== '')
}

/** Divides units at the last pause before the limit, else between words, else anywhere. */
function divide(units: string): string[] {
  if (units.length <= LONGEST) return [units]
  const head = units.slice(0, LONGEST)
  const pause = /^.*[,.?!](?= )/u.exec(head)?.[0].length ?? 0
  const cut = pause > LONGEST / 4 ? pause : head.lastIndexOf(' ') > 0 ? head.lastIndexOf(' ') : LONGEST
  return [units.slice(0, cut), ...divide(units.slice(cut).trimStart())]
}

/**
 * Any text as sentences of units, English and Mandarin also mixed: Latin letters in a Mandarin sentence are read as English, pinyin
 * with tone digits as Mandarin. Throws {@link InvalidArgumentError} where nothing in the text can be read. For the worker thread.
 */
export async function textToUnits(text: string): Promise<UnitSentence[]> {
  const out: UnitSentence[] = []
  for (const sentence of splitSentences(text)) {
    const language = HAN.test(sentence) ? 'zh' : 'en'
    const units = await sentenceToUnits(sentence, language)
    if (!units) continue
    for (const part of divide(units)) {
      out.push({ text: sentence, units: part, language: /[→↗↓↘]/u.test(part) ? 'zh' : language })
    }
  }
  if (out.length === 0) {
    throw new InvalidArgumentError('nothing in the text can be read aloud: it holds no English or Chinese words', {
      option: 'text',
    })
  }
  return out
}
