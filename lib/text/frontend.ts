import { englishToUnits } from './english/units.js'
import { spokenTones, syllableToUnits } from './mandarin/pinyin.js'
import { CHANGE } from './marks.js'
import { spellFixed } from './phonetics.js'
import { prepareSpeech, type FrontEnd, type Script, type Tone, type Utterance } from './speech.js'
import { UNITS } from './units.js'

/* Text front end of nano: any English, Mandarin or mixed text → units. */

/** The most units of one utterance. A longer sentence is divided at a pause or between words. */
const LONGEST = 300
const HAN = /\p{Script=Han}/u
const SYLLABLE = '[a-zü]+[1-5]'
const PIECES = new RegExp(
  `\\b${SYLLABLE}(?:\\s+${SYLLABLE})*\\b|[A-Za-z][A-Za-z' -]*[A-Za-z']|[A-Za-z]|[^A-Za-z]+`,
  'gu',
)
const PINYIN = new RegExp(`^${SYLLABLE}(?:\\s+${SYLLABLE})*$`, 'u')
const KNOWN = new Set(UNITS.slice(1)) // without the CTC blank

/** `ni3 hao3` as one word; undefined if it is not pinyin (`mp3`). */
function pinyinToUnits(piece: string): string | undefined {
  if (!PINYIN.test(piece)) return undefined
  const syllables = piece.split(/\s+/).map(syllableToUnits)
  return syllables.every(s => s !== undefined) ? syllables.join('') : undefined
}

/** Loaded only for Mandarin text: the dictionaries take 20 MB. */
const mandarin = () => import('./mandarin/words.js')

/** Latin letters in a Mandarin sentence are read as English, pinyin with tone digits as Mandarin. */
async function mixedToUnits(text: string): Promise<string> {
  const { mandarinNumbers } = await import('./mandarin/numbers.js')
  let out = ''
  // Numbers first, because the letters of 5km belong to the number. Pinyin has tone digits, which are not numbers.
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
 * Converts any text or SSML to utterances of units, one character each. To be called in the worker thread.
 *
 * @throws {@link InvalidArgumentError} nothing in the text can be read, or the SSML is malformed; {@link
 * UnsupportedError}
 */
export const textToUnits = (script: Script): Promise<(Utterance | Tone)[]> => prepareSpeech(script, NANO)
