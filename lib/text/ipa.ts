/* Converts our units and pinyin to the symbols of espeak-ng, for voices that were trained on its output (Piper). */

const VOWEL = 'aeiouæɑɔəɚɛɜɪʊʌɐᵻAIWYO'

/**
 * Replacements, applied in this order. Units are one character for each phoneme; words are separated by spaces. In both
 * notations, the stress mark is before the vowel.
 */
const AMERICAN: readonly [RegExp, string][] = [
  // Weak vowels
  [/(?<=^|[ ,.?!])ðə(?= [ˈˌ]?[aeiouæɑɔəɛɜɪʊʌAIWYO])/gu, 'ðɪ'], // the apple
  [/(?<=^|[ ,.?!])tə(?= [ˈˌ]?[aeiouæɑɔəɛɜɪʊʌAIWYO])/gu, 'tʊ'], // to eat
  [/(?<=^|[ ,.?!])ə(?!ɹ(?:[ ,.?!]|$))/gu, 'ɐ'], // a book, about
  [/(?<=[tdszʃʒʧʤ])ɪ(?=[dz](?:[ ,.?!]|$))/gu, 'ᵻ'], // wanted, roses
  [/(?<=(?:^|[ ,.?!])(?:b|d|ɹ|pɹ))ə(?=[^ ,.?!ˈˌ]+[ˈˌ])/gu, 'ᵻ'], // before, remember
  [/ə(?=b[əl]l?(?:[ ,.?!]|$))/gu, 'ᵻ'], // possible
  // R
  [/ɜɹ(?=[ˈˌ]?[aeiouæɑɔəɛɜɪʊʌAIWYO])/gu, 'ɜːɹ'],
  [/ɜɹ/gu, 'ɜː'],
  [/əɹ(?=[aeiouæɑɔəɛɜɪʊʌAIWYO])/gu, 'ɚɹ'],
  [/əɹ/gu, 'ɚ'],
  // T
  [new RegExp(`(?<=[${VOWEL}ɹː])tə?n(?=[ ,.?!]|$)`, 'gu'), 'ʔn̩'], // button
  [new RegExp(`(?<=[${VOWEL}ɹː])t(?=[iuəɚɪᵻO])`, 'gu'), 'ɾ'], // better, city: not before a stress
  // Length
  [/ɑ/gu, 'ɑː'],
  [/ɔ(?!n(?:[ ,.?!]|$))/gu, 'ɔː'], // except on
  [/u/gu, 'uː'],
  [/(?<=[ˈˌ])i/gu, 'iː'],
  [new RegExp(`(?<=(?:^|[ ,.?!])[^${VOWEL} ,.?!]*)i(?=[^${VOWEL}ː ,.?!]*(?:[ ,.?!]|$))`, 'gu'), 'iː'], // he, we, but not happy
  [/(?<=w[ˈˌ]?)ɑː(?=nt)/gu, 'ɔ'], // want
  [/(?<=^|[ ,.?!])[ˈˌ](?=I(?:[ ,.?!mlvd]|$))/gu, ''], // I, I'm
  // Spelling
  [/A/g, 'eɪ'],
  [/I/g, 'aɪ'],
  [/W/g, 'aʊ'],
  [/Y/g, 'ɔɪ'],
  [/O/g, 'oʊ'],
  [/ʤ/gu, 'dʒ'],
  [/ʧ/gu, 'tʃ'],
]

/** English units → espeak-ng's American English. */
export function unitsToAmerican(units: string): string {
  let ipa = units
  for (const [pattern, replacement] of AMERICAN) ipa = ipa.replace(pattern, replacement)
  return ipa.normalize('NFD')
}

/** The same for British voices: no R after vowels, no flaps, and other vowels. */
const BRITISH: readonly [RegExp, string][] = [
  [/oʊ/gu, 'əʊ'],
  [/ɾ/gu, 't'],
  [/ʔn̩/gu, 'tən'],
  [/ɚɹ/gu, 'əɹ'],
  [/ɚ/gu, 'ə'],
  [/ɪɹ(?![aeiouæɑɔəɛɜɪʊʌˈˌ])/gu, 'iə'],
  [/ɛɹ(?![aeiouæɑɔəɛɜɪʊʌˈˌ])/gu, 'eə'],
  [/ʊɹ(?![aeiouæɑɔəɛɜɪʊʌˈˌ])/gu, 'ʊə'],
  [/(?<=ː)ɹ(?![aeiouæɑɔəɛɜɪʊʌˈˌ])/gu, ''],
]

/**
 * English units → espeak-ng's British English, approximately: units do not tell which words have the vowels of bath and
 * lot.
 */
export function unitsToBritish(units: string): string {
  let ipa = unitsToAmerican(units)
  for (const [pattern, replacement] of BRITISH) ipa = ipa.replace(pattern, replacement)
  return ipa
}

// --- Mandarin

/** The parts of a syllable. The `i` of zhi and zi, which is not the vowel [i], is also `i`; ü is `v`. */
export interface PinyinParts {
  /** '' for none. */
  initial: string
  final: string
  /** 1–5; 5 is neutral. */
  tone: number
}

/** `zhong1` → zh, ong, 1. `y` and `w` count as initials. Undefined if it is not a syllable with a tone. */
export function splitPinyin(syllable: string): PinyinParts | undefined {
  const match = /^(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?([aeiouv][a-z]*)([0-5])$/.exec(syllable)
  if (!match) return undefined
  const [, initial = '', final = '', tone = ''] = match
  return { initial, final: /^[jqx]$/.test(initial) ? final.replace(/^u/, 'v') : final, tone: Number(tone) || 5 }
}

const INITIALS: Record<string, string> = {
  '': '', b: 'p', p: 'ph', m: 'm', f: 'f', d: 't', t: 'th', n: 'n', l: 'l', g: 'k', k: 'kh', h: 'χ', j: 'tɕ', q: 'tɕh', x: 'ɕ',
  zh: 'ts.', ch: 'ts.h', sh: 's.', r: 'ʐ', z: 'ts', c: 'tsh', s: 's',
} // prettier-ignore
/** `0` is the place of the tone. */
const FINALS: Record<string, string> = {
  a: 'ˈɑ0', o: 'ˈo0', e: 'ˈo-0', ai: 'ˈai0', ei: 'ˈei0', ao: 'ˈɑu0', ou: 'ˈou0', an: 'ˈa0n', en: 'ˈə0n', ang: 'ˈa0ŋ', eng: 'ˈə0ŋ', ong: 'ˈonɡ0', er: 'ˈər0',
  i: 'ˈi0', ia: 'ˈiɑ0', ie: 'ˈiɛ0', iao: 'jˈɑu0', iu: 'ˈiou0', ian: 'ˈiɛ0n', in: 'ˈi0n', iang: 'ˈiɑ0ŋ', ing: 'ˈi0ŋ', iong: 'ˈy0ŋ',
  u: 'ˈu0', ua: 'wˈɑ0', uo: 'ˈuo0', uai: 'ˈuai0', ui: 'ˈuei0', uan: 'ˈua0n', un: 'ˈuə0n', uang: 'wˈɑ0ŋ', ueng: 'wˈuə0ŋ',
  v: 'ˈy0', ve: 'ˈyɛ0', ue: 'ˈyɛ0', van: 'ˈyæ0n', vn: 'ˈyə0n',
} // prettier-ignore
/** The finals of syllables without an initial, which are written with y and w. */
const SPELLINGS: Record<string, string> = {
  yi: 'jˈi0', ya: 'jˈiɑ0', yo: 'jˈio0', ye: 'jˈiɛ0', yai: 'jˈai0', yao: 'jˈɑu0', you: 'jˈiou0', yan: 'jˈiɛ0n', yin: 'jˈi0n', yang: 'jˈiɑ0ŋ',
  ying: 'jˈi0ŋ', yong: 'ˈyu0ŋ', yu: 'ʲˈy0', yue: 'ˈyɛ0', yuan: 'ˈyæ0n', yun: 'ʲˈyə0n', wu: 'wˈu0', wa: 'wˈɑ0', wo: 'wˈo0', wai: 'wˈai0',
  wei: 'wˈei0', wan: 'wˈɑ0n', wen: 'wˈuə0n', wang: 'wˈɑ0ŋ', weng: 'wˈuə0ŋ',
} // prettier-ignore
const TONE_SYMBOLS = ['5', 'ɜ', '2', '5', '1'] // as espeak-ng writes 55, 35, 21(4), 51, neutral in IPA

/** A syllable → espeak-ng's Mandarin (`cmn`): `hao3` → `χˈɑu2`. */
export function pinyinToEspeak(syllable: string): string | undefined {
  const parts = splitPinyin(syllable)
  if (!parts) return undefined
  const { initial, final, tone } = parts
  let body: string | undefined
  if (initial === 'y' || initial === 'w') {
    body = SPELLINGS[initial + final]
  } else {
    const start = INITIALS[initial] ?? ''
    let end = FINALS[final]
    if (final === 'i' && /^(?:[zcs]h|r)$/.test(initial)) end = 'ˈi.0'
    else if (final === 'i' && /^[zcs]$/.test(initial)) end = 'ˈi̪0'
    else if (final === 'e' && /^[dtnl]$/.test(initial)) end = 'ˈə0'
    body = end === undefined ? undefined : start + end
  }
  const symbols = body?.replace('0', TONE_SYMBOLS[tone - 1] ?? '')
  return (tone === 5 ? symbols?.replace('ˈ', '') : symbols)?.normalize('NFD')
}
