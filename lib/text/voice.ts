import { UnsupportedError } from '../errors.js'
import { charactersOf, codePointsOf } from './characters.js'
import { englishToUnits } from './english/units.js'
import { espeakMissing, espeakPhonemes } from './espeak.js'
import { pinyinToEspeak, splitPinyin, unitsToAmerican, unitsToBritish } from './ipa.js'
import { CHANGE, FIXED } from './marks.js'
import { spellFixed, symbolsOf } from './phonetics.js'
import { isTone, prepareSpeech, type Script, type Tone, type Utterance } from './speech.js'
import { UNITS } from './units.js'
import { parseVoiceText, type VoiceText } from './voice-text.js'

/* Text front end of imported voices: any text → ids, sentence by sentence. */

/** What converts text to phonemes: this package if it knows the language, otherwise espeak-ng; or always one of them. */
export type Phonemizer = 'auto' | 'builtin' | 'espeak-ng'

/** An utterance with its ids. */
export interface VoiceUtterance extends Utterance {
  /** The ids of the symbols, including those before, between and after them. */
  ids: Int32Array
}

/**
 * The most symbols of one utterance, because the cost of attention grows with the square. A longer sentence is divided
 * at a pause or between words.
 */
const LONGEST = 400
const PAUSE = /[,;:.?!，；：、。？！…—]/u

/**
 * @param json - the voice's {@link VoiceText}
 * @throws {@link InvalidArgumentError} nothing in the text can be read; {@link UnsupportedError} the text needs a
 * program that is not installed (says what helps); {@link ModelFormatError} the voice's rules are malformed
 */
export async function textToVoice(
  script: Script,
  json: string,
  phonemizer: Phonemizer,
): Promise<(VoiceUtterance | Tone)[]> {
  const voice = parseVoiceText(json)
  const parts = await prepareSpeech(script, {
    toSymbols: frontEnd(voice, phonemizer),
    spell: word => spellFixed(word, voice),
    isKnown: symbol => Object.hasOwn(voice.symbols, symbol),
    hasPitch: false,
    longest: LONGEST,
  })
  return parts.map(part => (isTone(part) ? part : withIds(part, voice)))
}

type ToSymbols = (sentence: string) => Promise<string[]>

function frontEnd(voice: VoiceText, phonemizer: Phonemizer): ToSymbols {
  switch (voice.input) {
    case 'espeak':
      return async sentence => symbolsOf(await phonemesOf(sentence, voice.espeakVoice ?? 'en-us', phonemizer), voice)
    case 'pinyin':
      return pinyinSymbols
    case 'text':
      return sentence => Promise.resolve(codePointsOf(sentence, voice))
    case 'characters':
      return sentence => Promise.resolve(charactersOf(sentence, voice))
    default:
      throw new UnsupportedError(
        `this voice speaks the symbols of the front end ${JSON.stringify(voice.input)}, which this package lacks; take a voice whose ` +
          'phoneme_type is espeak, pinyin or text',
        { component: voice.input },
      )
  }
}

async function phonemesOf(sentence: string, espeakVoice: string, phonemizer: Phonemizer): Promise<string> {
  const builtin = builtinFor(espeakVoice)
  if (phonemizer !== 'espeak-ng' && builtin) return builtin(sentence)
  const why = `this voice's language (${espeakVoice}) needs espeak-ng`
  if (phonemizer === 'builtin') throw espeakMissing(`${why}, which the option phonemizer "builtin" rules out`)
  return byEspeak(sentence, espeakVoice, why)
}

/**
 * A function that makes phonemes in espeak-ng's symbols, for the languages that this package knows; otherwise
 * undefined.
 */
function builtinFor(espeakVoice: string): ((sentence: string) => Promise<string>) | undefined {
  if (/^en-(?:gb|uk)/i.test(espeakVoice)) return async sentence => unitsToBritish(await englishUnits(sentence))
  if (/^en(?:-|$)/i.test(espeakVoice)) return async sentence => unitsToAmerican(await englishUnits(sentence))
  if (/^(?:cmn|zh)(?:-|$)/i.test(espeakVoice)) return espeakMandarin
  return undefined
}

const SIGN = new RegExp(`^(?:${FIXED}|${CHANGE})$`)
const SIGNS = new RegExp(`(${FIXED}|${CHANGE})`)
const IS_CHANGE = new RegExp(`^${CHANGE}$`)
const englishUnits = async (sentence: string): Promise<string> =>
  [...(await englishToUnits(sentence))].filter(c => UNITS.includes(c) || SIGN.test(c)).join('')

async function espeakMandarin(sentence: string): Promise<string> {
  let out = ''
  for (const word of await syllablesOf(sentence)) {
    const phonemes = word.map(part => (SIGN.test(part) ? part : (pinyinToEspeak(part) ?? ''))).join('')
    if (isPause(word) || IS_CHANGE.test(word[0] ?? '')) out += word[0] ?? ''
    else if (phonemes) out += (out && !IS_CHANGE.test(out.at(-1) ?? '') ? ' ' : '') + phonemes
  }
  return out
}

/** espeak-ng drops punctuation, which voices need, so it gets the text clause by clause. */
async function byEspeak(sentence: string, espeakVoice: string, why: string): Promise<string> {
  let out = ''
  // Punctuation within numbers and abbreviations is left to espeak-ng.
  for (const part of sentence.split(/((?:[,;:.?!…—]+(?=\s|$)|[，；：、。？！—…]+)["”’)]*)/u)) {
    if (PAUSE.test(part) && !/[\p{L}\p{N}]/u.test(part)) {
      if (out) out += pauseOf(part)
      continue
    }
    for (const piece of part.split(SIGNS)) {
      const phonemes = SIGN.test(piece) ? piece : await espeakPhonemes(espeakVoice, piece, why)
      if (phonemes) out += (out && !IS_CHANGE.test(out.at(-1) ?? '') ? ' ' : '') + phonemes
    }
  }
  return out
}

/** The punctuation mark that ends such a clause in Piper's training data. */
function pauseOf(part: string): string {
  const sign = PAUSE.exec(part)?.[0] ?? ','
  return (
    { '，': ',', '、': ',', '；': ';', '：': ':', '—': ';', '…': '.', '。': '.', '？': '?', '！': '!' }[sign] ?? sign
  )
}

// --- Mandarin

const isPause = (word: readonly string[]): boolean => /^[,.?!]/.test(word[0] ?? '')
const SYLLABLE = '[a-zü]+[1-5]'
const ANY_SIGN = new RegExp(`${FIXED}|${CHANGE}`, 'g')
const PINYIN_TOKEN = new RegExp(`[a-z]+[1-5]|[,.?!，。？！]|${FIXED}|${CHANGE}`, 'gu')
const PINYIN = new RegExp(`^(?:${SYLLABLE}[\\s,.?!，。？！]*)+$`, 'iu')

/** Converts Chinese characters, or pinyin with tone digits, to words of syllables. */
async function syllablesOf(sentence: string): Promise<string[][]> {
  if (!PINYIN.test(sentence.replace(ANY_SIGN, '').trim()))
    return (await import('./mandarin/words.js')).mandarinWords(sentence)
  const tokens = sentence.toLowerCase().replaceAll('ü', 'v').match(PINYIN_TOKEN) ?? []
  return tokens.map(token => [PAUSE.test(token) ? pauseOf(token) : token])
}

/** Converts a sentence to initials, finals and tones as Piper's Chinese voices have them. */
async function pinyinSymbols(sentence: string): Promise<string[]> {
  return (await syllablesOf(sentence)).flatMap(word =>
    isPause(word) || SIGN.test(word[0] ?? '')
      ? word
      : word.flatMap(syllable => {
          const parts = splitPinyin(syllable)
          return parts ? [parts.initial || 'Ø', parts.final, String(parts.tone)] : []
        }),
  )
}

// --- ids

/**
 * Adds ids. An id before the first symbol gets that symbol's prosody; an id after a symbol gets the prosody of that
 * symbol.
 */
function withIds(utterance: Utterance, voice: VoiceText): VoiceUtterance {
  const { symbols, prosody } = utterance
  const [ids, spoken] = [[...voice.before], voice.before.map(() => prosody?.[0])]
  for (const [i, symbol] of symbols.entries()) {
    ids.push(...(voice.symbols[symbol] ?? []))
    // Chinese voices have the id between symbols only after a whole syllable.
    if (voice.input !== 'pinyin' || /^[1-5,.?! ]$/.test(symbol)) ids.push(...voice.between)
    while (spoken.length < ids.length) spoken.push(prosody?.[i])
  }
  ids.push(...voice.after)
  while (spoken.length < ids.length) spoken.push(prosody?.at(-1))
  const known = spoken.filter(p => p !== undefined)
  return { ...utterance, ids: Int32Array.from(ids), ...(known.length === ids.length && { prosody: known }) }
}
