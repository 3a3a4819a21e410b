import { InvalidArgumentError, UnsupportedError } from '../errors.js'
import { charactersOf, codePointsOf } from './characters.js'
import { englishToUnits } from './english/units.js'
import { espeakMissing, espeakPhonemes } from './espeak.js'
import { splitSentences } from './sentences.js'
import { pinyinToEspeak, splitPinyin, unitsToAmerican, unitsToBritish } from './ipa.js'
import { onlyUnits } from './units.js'
import { parseVoiceText, type VoiceText } from './voice-text.js'

/*
 * Any text → the ids of an imported voice, sentence by sentence.
 */

/** Who makes phonemes of a text: this package where it knows the language, else espeak-ng; or one of them always. */
export type Phonemizer = 'auto' | 'builtin' | 'espeak-ng'

/** A sentence, or a part of a long one, ready to be spoken. */
export interface VoiceSentence {
  text: string
  /** The voice's symbols. */
  symbols: string[]
  /** Of the symbols, with what stands between them. */
  ids: Int32Array
}

/** Symbols that a voice speaks at once; attention costs their square. A longer sentence is divided at a pause or between words. */
const LONGEST = 400
const PAUSE = /[,;:.?!，；：、。？！…—]/u

/**
 * @param json - the voice's {@link VoiceText}
 * @throws {@link InvalidArgumentError} nothing in the text can be read; {@link UnsupportedError} the text needs what is not here (names the
 * cure); {@link ModelFormatError} the voice's rules cannot be read
 */
export async function textToVoice(text: string, json: string, phonemizer: Phonemizer): Promise<VoiceSentence[]> {
  const voice = parseVoiceText(json)
  const toSymbols = frontEnd(voice, phonemizer)
  const out: VoiceSentence[] = []
  for (const sentence of splitSentences(text)) {
    const known = (await toSymbols(sentence)).filter(symbol => Object.hasOwn(voice.symbols, symbol))
    while (known[0] !== undefined && /^[ ,;:.?!]$/.test(known[0])) known.shift()
    if (!known.some(symbol => /[\p{L}\p{N}]/u.test(symbol))) continue // only pauses
    for (const symbols of divide(known)) out.push({ text: sentence, symbols, ids: idsOf(symbols, voice) })
  }
  if (out.length > 0) return out
  throw new InvalidArgumentError('nothing in the text can be read aloud: it holds no words that this voice can speak', {
    option: 'text',
  })
}

type FrontEnd = (sentence: string) => Promise<string[]>

function frontEnd(voice: VoiceText, phonemizer: Phonemizer): FrontEnd {
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

/** Code points, or the voice's clusters of them where it has some. */
function symbolsOf(phonemes: string, { clusters = [] }: VoiceText): string[] {
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

async function phonemesOf(sentence: string, espeakVoice: string, phonemizer: Phonemizer): Promise<string> {
  const builtin = builtinFor(espeakVoice)
  if (phonemizer !== 'espeak-ng' && builtin) return builtin(sentence)
  const why = `this voice's language (${espeakVoice}) needs espeak-ng`
  if (phonemizer === 'builtin') throw espeakMissing(`${why}, which the option phonemizer "builtin" rules out`)
  return byEspeak(sentence, espeakVoice, why)
}

/** Our own phonemes in espeak-ng's symbols, of the languages that we know. */
function builtinFor(espeakVoice: string): ((sentence: string) => Promise<string>) | undefined {
  if (/^en-(?:gb|uk)/i.test(espeakVoice)) return async sentence => unitsToBritish(await englishUnits(sentence))
  if (/^en(?:-|$)/i.test(espeakVoice)) return async sentence => unitsToAmerican(await englishUnits(sentence))
  if (/^(?:cmn|zh)(?:-|$)/i.test(espeakVoice)) return espeakMandarin
  return undefined
}

const englishUnits = async (sentence: string): Promise<string> => onlyUnits(await englishToUnits(sentence))

async function espeakMandarin(sentence: string): Promise<string> {
  let out = ''
  for (const word of await syllablesOf(sentence)) {
    const phonemes = word.map(syllable => pinyinToEspeak(syllable) ?? '').join('')
    if (isPause(word)) out += word[0] ?? ''
    else if (phonemes) out += (out ? ' ' : '') + phonemes
  }
  return out
}

/** espeak-ng drops punctuation, which voices know: so it is given clause by clause. */
async function byEspeak(sentence: string, espeakVoice: string, why: string): Promise<string> {
  let out = ''
  // Signs within numbers and abbreviations are espeak-ng's business.
  for (const part of sentence.split(/((?:[,;:.?!…—]+(?=\s|$)|[，；：、。？！—…]+)["”’)]*)/u)) {
    if (PAUSE.test(part) && !/[\p{L}\p{N}]/u.test(part)) {
      if (out) out += pauseOf(part)
      continue
    }
    const phonemes = await espeakPhonemes(espeakVoice, part, why)
    if (phonemes) out += (out ? ' ' : '') + phonemes
  }
  return out
}

/** The sign that espeak-ng's clauses end with in Piper's data. */
function pauseOf(part: string): string {
  const sign = PAUSE.exec(part)?.[0] ?? ','
  return (
    { '，': ',', '、': ',', '；': ';', '：': ':', '—': ';', '…': '.', '。': '.', '？': '?', '！': '!' }[sign] ?? sign
  )
}

// --- Mandarin

const isPause = (word: readonly string[]): boolean => /^[,.?!]/.test(word[0] ?? '')
const SYLLABLE = '[a-zü]+[1-5]'
const PINYIN = new RegExp(`^(?:${SYLLABLE}[\\s,.?!，。？！]*)+$`, 'iu')

/** Words of syllables, of Chinese characters or of pinyin with tone digits. */
async function syllablesOf(sentence: string): Promise<string[][]> {
  if (!PINYIN.test(sentence.trim())) return (await import('./mandarin/words.js')).mandarinWords(sentence)
  const tokens =
    sentence
      .toLowerCase()
      .replaceAll('ü', 'v')
      .match(/[a-z]+[1-5]|[,.?!，。？！]/gu) ?? []
  return tokens.map(token => [PAUSE.test(token) ? pauseOf(token) : token])
}

/** Initials, finals and tones as Piper's Chinese voices spell them. */
async function pinyinSymbols(sentence: string): Promise<string[]> {
  return (await syllablesOf(sentence)).flatMap(word =>
    isPause(word)
      ? word
      : word.flatMap(syllable => {
          const parts = splitPinyin(syllable)
          return parts ? [parts.initial || 'Ø', parts.final, String(parts.tone)] : []
        }),
  )
}

// --- ids

/** Divides symbols at the last pause before the limit, else between words, else anywhere. */
function divide(symbols: string[]): string[][] {
  if (symbols.length <= LONGEST) return [symbols]
  const head = symbols.slice(0, LONGEST)
  const pause = head.findLastIndex((symbol, i) => PAUSE.test(symbol) && i > LONGEST / 4) + 1
  const cut = pause || head.lastIndexOf(' ') + 1 || LONGEST
  const rest = symbols.slice(cut)
  while (rest[0] === ' ') rest.shift()
  return [symbols.slice(0, cut), ...divide(rest)]
}

function idsOf(symbols: readonly string[], voice: VoiceText): Int32Array {
  const ids = [...voice.before]
  for (const symbol of symbols) {
    ids.push(...(voice.symbols[symbol] ?? []))
    // Chinese voices have it after a whole syllable.
    if (voice.input !== 'pinyin' || /^[1-5,.?! ]$/.test(symbol)) ids.push(...voice.between)
  }
  return Int32Array.from([...ids, ...voice.after])
}
