import { englishToUnits } from './english/units.js'
import { spokenTones, syllableToUnits } from './mandarin/pinyin.js'
import { CHANGE } from './marks.js'
import { spellFixed } from './phonetics.js'
import { prepareSpeech, type FrontEnd, type Script, type Tone, type Utterance } from './speech.js'
import { UNITS } from './units.js'

/*
 * Any text → nano's units, English and Mandarin also mixed.
 */

/** The decoder speaks at most so many units at once; a longer sentence is divided at a pause or between words. */
const LONGEST = 300
const HAN = /\p{Script=Han}/u
const SYLLABLE = '[a-zü]+[1-5]'
const PIECES = new RegExp(
  `\\b${SYLLABLE}(?:\\s+${SYLLABLE})*\\b|[A-Za-z][A-Za-z' -]*[A-Za-z']|[A-Za-z]|[^A-Za-z]+`,
  'gu',
)
const PINYIN = new RegExp(`^${SYLLABLE}(?:\\s+${SYLLABLE})*$`, 'u')
const KNOWN = new Set(UNITS.slice(1)) // but the blank

/** `ni3 hao3` as one word; undefined where it is no pinyin (`mp3`). */
function pinyinToUnits(piece: string): string | undefined {
  if (!PINYIN.test(piece)) return undefined
  const syllables = piece.split(/\s+/).map(syllableToUnits)
  return syllables.every(s => s !== undefined) ? syllables.join('') : undefined
}

/** Its dictionaries take 20 MB: not before there is Mandarin. */
const mandarin = () => import('./mandarin/words.js')

/** Latin letters in a Mandarin sentence are read as English, pinyin with tone digits as Mandarin. */
async function mixedToUnits(text: string): Promise<string> {
  const { mandarinNumbers } = await import('./mandarin/numbers.js')
  let out = ''
  // Numbers first: of 5km the letters are a part. Pinyin has digits of its own.
  const written = PINYIN_WITHIN.test(text) ? text : mandarinNumbers(text)
  for (const [piece] of written.matchAll(PIECES)) {
    const units =
      pinyinToUnits(piece) ??
      (/^[A-Za-z]/.test(piece) ? await englishToUnits(piece) : (await mandarin()).mandarinToUnits(piece))
    if (units) out += (out && !/^[,.?!]/.test(units) ? ' ' : '') + units
  }
  return out
}

const CHANGES = new RegExp(CHANGE, 'g')
const PINYIN_WITHIN = new RegExp(`\\b${SYLLABLE}\\b`, 'u')

const sentenceToUnits = async (text: string): Promise<string> =>
  HAN.test(text) || PINYIN.test(text.replace(CHANGES, '').trim()) ? mixedToUnits(text) : englishToUnits(text)

const NANO: FrontEnd = {
  toSymbols: async sentence => [...(await sentenceToUnits(sentence))],
  spell: word => spellFixed(word, undefined),
  finish: symbols => [...spokenTones(symbols.join(''))],
  isKnown: symbol => KNOWN.has(symbol),
  hasPitch: true,
  longest: LONGEST,
}

/**
 * Any text or SSML as utterances of units, one character each. For the worker thread.
 *
 * @throws {@link InvalidArgumentError} nothing in it can be read, or it is no SSML; {@link UnsupportedError}
 */
export const textToUnits = (script: Script): Promise<(Utterance | Tone)[]> => prepareSpeech(script, NANO)
