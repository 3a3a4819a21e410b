import { CHANGE, FIXED } from '../marks.js'
import { mandarinNumbers } from './numbers.js'
import { spokenTones, syllableToUnits } from './pinyin.js'
import { readingsOf } from './readings.js'

/*
 * Mandarin text → units: segmented into words by the platform's Intl.Segmenter, read by pinyin-pro, and converted to
 * units by the table of pinyin.ts.
 */

const HAN = /\p{Script=Han}/u
const PAUSES: Record<string, string> = {
  '，': ',', '、': ',', '；': ',', ';': ',', '：': ',', ':': ',', '—': ',', ',': ',', '。': '.', '．': '.', '.': '.', '…': '.', '！': '!', '!': '!', '？': '?', '?': '?',
} // prettier-ignore

const SIGN = new RegExp(`${FIXED}|${CHANGE}`, 'g')
const IS_SIGN = new RegExp(`^(?:${FIXED}|${CHANGE})$`)
const IS_CHANGE = new RegExp(CHANGE)

const segmenter = new Intl.Segmenter('zh-Hans', { granularity: 'word' })

/** Splits words such as 我的 and 你是, which the segmenter does not separate. */
const GLUED = /(?<=^[我你他她它您])(?!们)|(?<=.)(?=[的是都]$)/u

/** The words of a text; Chinese words come with their syllables. */
function* wordsOf(text: string): Generator<{ word: string; syllables: string[] }> {
  for (const part of text.split(/(\p{Script=Han}+)/u)) {
    const readings = HAN.test(part) ? readingsOf(part) : []
    let at = 0
    for (const word of Array.from(segmenter.segment(part), s => s.segment.split(GLUED)).flat()) {
      const end = at + [...word].length
      yield { word, syllables: readings.slice(at, end) }
      at = end
    }
  }
}

/**
 * Converts Mandarin text to words of syllables with tone digits (`['ni3', 'hao3']`); a pause is a separate word
 * (`[',']`). Tones are those of the dictionary, except for 一 and 不.
 */
export function mandarinWords(text: string): string[][] {
  const out: string[][] = []
  for (const { word, syllables } of wordsOf(mandarinNumbers(text))) {
    const pause = PAUSES[word.charAt(0)]
    if (pause && /^[^,.?!]/.test(out.at(-1)?.[0] ?? 'a')) out.push([pause])
    if (syllables.length > 0) out.push(syllables)
    else for (const [sign] of word.matchAll(SIGN)) out.push([sign])
  }
  return out
}

/**
 * Converts Mandarin text to units. Words are separated by spaces, punctuation becomes pauses, and tones are those that
 * are spoken.
 */
export function mandarinToUnits(text: string): string {
  let out = ''
  for (const word of mandarinWords(text)) {
    const units = word.map(part => (IS_SIGN.test(part) ? part : (syllableToUnits(part) ?? ''))).join('')
    if (/^[,.?!]/.test(word[0] ?? '')) out += word[0] ?? ''
    else if (units) out += (out && !IS_CHANGE.test(out.at(-1) ?? '') ? ' ' : '') + units
  }
  return spokenTones(out.trim())
}
