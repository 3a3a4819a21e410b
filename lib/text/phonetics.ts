import { InvalidArgumentError, UnsupportedError } from '../errors.js'
import { pinyinToEspeak, splitPinyin } from './ipa.js'
import { syllableToUnits } from './mandarin/pinyin.js'
import type { FixedWord } from './marks.js'
import { UNITS } from './units.js'
import type { VoiceText } from './voice-text.js'

/* Converts pronunciations that a user gives, in IPA or pinyin, to the symbols of a voice. */

const PINYIN = /^[a-zü:]+[0-5](?:[\s'-]*[a-zü:]+[0-5])*$/i

/** Whether phonemes are pinyin with tone digits: `chong2 qing4`. */
export const isPinyin = (phonemes: string): boolean => PINYIN.test(phonemes.trim())

/** Whether an entry of a user's lexicon is IPA or pinyin. */
export const alphabetOf = (phonemes: string): FixedWord['alphabet'] => (isPinyin(phonemes) ? 'pinyin' : 'ipa')

/** The error for a symbol that the voice lacks; names the symbol and the word. */
function unknown(word: FixedWord, symbol: string, has: string): InvalidArgumentError {
  const code = `U+${(symbol.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
  const name = [...symbol].length === 1 ? `${JSON.stringify(symbol)} (${code})` : JSON.stringify(symbol)
  const { text, phonemes, alphabet } = word
  return new InvalidArgumentError(
    `${JSON.stringify(text)} as ${alphabet} ${JSON.stringify(phonemes)}: this voice has no ${name}; ${has}`,
    { option: 'pronunciations', word: text, phonemes, symbol },
  )
}

const syllablesOf = (phonemes: string): string[] => phonemes.toLowerCase().match(/[a-zü:]+[0-5]?/g) ?? []

// --- nano's units

/** IPA spellings of single units, longest first. */
const UNIT_SPELLINGS: readonly (readonly [RegExp, string])[] = [
  [/[.‿|ˑ]|\u0361|\u035c/g, ''],
  [/([nlmɹr])\u0329/g, 'ə$1'],
  [/tʃ/g, 'ʧ'], [/dʒ/g, 'ʤ'],
  [/eɪ|ei/g, 'A'], [/aɪ|ai/g, 'I'], [/aʊ|au/g, 'W'], [/ɔɪ|ɔi/g, 'Y'], [/[oə]ʊ|ou/g, 'O'],
  [/ɜː?(?![ːɹr])|ɝ/g, 'ɜɹ'], [/ɚ/g, 'əɹ'],
  [/aː?/g, 'ɑ'], [/e/g, 'ɛ'], [/o/g, 'O'],
  [/ː/g, ''], [/r/g, 'ɹ'], [/g/g, 'ɡ'], [/ɐ/g, 'ə'], [/ɒ/g, 'ɑ'], [/[ɾʔ]/g, 't'], [/ᵻ/g, 'ɪ'], [/ɫ/g, 'l'], [/ʍ/g, 'w'],
] // prettier-ignore
const VOWELS = 'AIOWYaiuæɑɔəɛɜɪʊʌeoyɤɨɚ'
/** In IPA the stress mark is before the syllable, in units before the vowel. */
const STRESS = new RegExp(`([ˈˌ])([^ˈˌ ${VOWELS}]*)(?=[${VOWELS}])`, 'g')
const SPOKEN = new Set(UNITS.filter(unit => !/[_,.?!]/.test(unit)))

function toUnits(word: FixedWord): string[] {
  if (word.alphabet === 'pinyin') {
    return syllablesOf(word.phonemes).flatMap(syllable => {
      const units = syllableToUnits(syllable)
      if (units === undefined) throw unknown(word, syllable, 'it is no Mandarin syllable with a tone digit')
      return [...units]
    })
  }
  let units = word.phonemes.normalize('NFD')
  for (const [pattern, unit] of UNIT_SPELLINGS) units = units.replace(pattern, unit)
  units = units.replace(STRESS, '$2$1').replace(/\s+/g, ' ').trim()
  for (const unit of units) if (!SPOKEN.has(unit)) throw unknown(word, unit, `it has ${[...SPOKEN].join(' ').trim()}`)
  return [...units]
}

// --- imported voices

/** Other spellings of a symbol that a voice may have; '' if the symbol may be left out. */
const SAME: Record<string, readonly string[]> = { g: ['ɡ'], ɡ: ['g'], r: ['ɹ', 'r'], '\u0361': [''], '\u035c': [''], '.': [''], 'ˑ': [''], '‿': [''] } // prettier-ignore

/** Splits phonemes into code points, or into the clusters of code points that the voice has. */
export function symbolsOf(phonemes: string, { clusters = [] }: VoiceText): string[] {
  const longestFirst = [...clusters].sort((a, b) => b.length - a.length)
  const out: string[] = []
  for (let at = 0; at < phonemes.length;) {
    const cluster = longestFirst.find(c => c !== '' && phonemes.startsWith(c, at))
    const symbol = cluster ?? String.fromCodePoint(phonemes.codePointAt(at) ?? 0)
    out.push(symbol)
    at += symbol.length
  }
  return out
}

function toVoice(word: FixedWord, voice: VoiceText): string[] {
  const known = (symbol: string): boolean => Object.hasOwn(voice.symbols, symbol)
  const isMandarin = voice.input === 'pinyin' || /^(?:cmn|zh)/i.test(voice.espeakVoice ?? '')
  if (word.alphabet === 'pinyin') {
    if (!isMandarin) throw unknown(word, syllablesOf(word.phonemes)[0] ?? '', 'it speaks no Mandarin: give IPA')
    return syllablesOf(word.phonemes).flatMap(syllable => {
      const parts = splitPinyin(syllable.replaceAll('u:', 'v').replaceAll('ü', 'v'))
      const espeak = parts && pinyinToEspeak(`${parts.initial}${parts.final}${parts.tone}`)
      if (!parts || espeak === undefined) throw unknown(word, syllable, 'it is no Mandarin syllable with a tone digit')
      if (voice.input !== 'pinyin') return symbolsOf(espeak, voice)
      return [parts.initial || 'Ø', parts.final, String(parts.tone)]
    })
  }
  if (voice.input === 'pinyin') throw unknown(word, word.phonemes, 'it reads pinyin with tone digits: chong2 qing4')
  return symbolsOf(word.phonemes.normalize('NFD').trim(), voice).flatMap(symbol => {
    if (known(symbol)) return symbol
    const same = SAME[symbol]?.find(s => s === '' || known(s))
    if (same !== undefined) return same === '' ? [] : same
    throw unknown(
      word,
      symbol,
      `it has ${Object.keys(voice.symbols)
        .filter(s => /\p{L}/u.test(s))
        .join(' ')}`,
    )
  })
}

/** Whether pronunciations can be given to a voice. Voices that read letters do not take them. */
export const takesPhonemes = (voice: VoiceText | undefined): boolean =>
  voice === undefined || voice.input === 'espeak' || voice.input === 'pinyin'

/**
 * The symbols of a word with a given pronunciation.
 *
 * @param voice - an imported one; undefined: nano's units
 * @throws {@link InvalidArgumentError} names the symbol that the voice lacks; {@link UnsupportedError} the voice reads letters
 */
export function spellFixed(word: FixedWord, voice: VoiceText | undefined): string[] {
  if (!takesPhonemes(voice)) {
    throw new UnsupportedError(
      `this voice reads letters, not phonemes: it does not take a pronunciation of ${JSON.stringify(word.text)}; spell it as it sounds (in SSML: <sub alias="…">)`,
      { component: 'phonemes', word: word.text },
    )
  }
  return voice === undefined ? toUnits(word) : toVoice(word, voice)
}
