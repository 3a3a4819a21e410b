import { InvalidArgumentError } from '../errors.js'
import { englishToUnits } from './english/units.js'
import { spokenTones, syllableToUnits } from './mandarin/pinyin.js'
import { splitSentences } from './sentences.js'
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

/** Its dictionaries take 20 MB: not before there is Mandarin. */
const mandarin = () => import('./mandarin/words.js')

async function mixedToUnits(text: string): Promise<string> {
  let out = ''
  for (const [piece] of text.matchAll(PIECES)) {
    const units =
      pinyinToUnits(piece) ??
      (/^[A-Za-z]/.test(piece) ? await englishToUnits(piece) : (await mandarin()).mandarinToUnits(piece))
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
