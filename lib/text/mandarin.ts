import nzh from 'nzh'
import { customPinyin, pinyin } from 'pinyin-pro'
import { spokenTones, syllableToUnits } from './pinyin.js'

/*
 * Mandarin text → units: words by the platform's dictionary segmenter, readings by pinyin-pro, spelling by the table of pinyin.ts.
 */

const HAN = /\p{Script=Han}/u
const PAUSES: Record<string, string> = {
  '，': ',', '、': ',', '；': ',', ';': ',', '：': ',', ':': ',', '—': ',', ',': ',', '。': '.', '．': '.', '.': '.', '…': '.', '！': '!', '!': '!', '？': '?', '?': '?',
} // prettier-ignore

const segmenter = new Intl.Segmenter('zh-Hans', { granularity: 'word' })

/** Numbers as they are read: 25 二十五, 3.5 三点五, 50% 百分之五十, 7:30 七点三十分, 2024年 digit by digit. */
export function mandarinNumbers(text: string): string {
  const digits = (s: string): string => [...s].map(d => '零一二三四五六七八九'[Number(d)] ?? d).join('')
  const number = (s: string): string => (s.length > 16 ? digits(s) : nzh.cn.encodeS(s, { tenMin: true }))
  return text
    .replace(/(\d)[,，](?=\d{3}(?!\d))/g, '$1')
    .replace(/\d{4}(?=年)/g, digits)
    .replace(
      /(\d{1,2})[:：](\d{2})(?!\d)/g,
      (_, h: string, m: string) =>
        `${number(h)}点${m === '00' ? '' : `${m.startsWith('0') ? '零' : ''}${number(String(Number(m)))}分`}`,
    )
    .replace(/(\d+(?:\.\d+)?)\s*[%％]/g, (_, n: string) => `百分之${number(n)}`)
    .replace(/(\d+(?:\.\d+)?)\s*(?:°C|℃)/g, (_, n: string) => `${number(n)}度`)
    .replace(/(?<![\d\p{Script=Han}])-(?=\d)/gu, '负')
    .replace(/\d+\.\d+/g, s => number(s))
    .replace(/\d+/g, s => (s.length > 1 && (s.startsWith('0') || s.length >= 7) ? digits(s) : number(s)))
}

// Readings on which the dictionary is out of step with how people speak.
customPinyin({ 嗯: 'ńg', 哦: 'ó', 呗: 'bei', 哪儿: 'nǎ ér' })

/** The syllables of a run of Chinese characters, `ni3`, one a character: readings depend on the neighbours. */
function readingsOf(run: string): string[] {
  return pinyin(run, { type: 'array', toneType: 'num', toneSandhi: true, v: true })
}

/** The segmenter takes 我的 and 你是 for words. */
const GLUED = /(?<=^[我你他她它您])(?!们)|(?<=.)(?=[的是都]$)/u

/** The words of a text; runs of Chinese words come with their syllables. */
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
 * Mandarin text as words of syllables with tone digits (`['ni3', 'hao3']`); a pause is a word of its own (`[',']`). Tones are the
 * dictionary's, but for 一 and 不.
 */
export function mandarinWords(text: string): string[][] {
  const out: string[][] = []
  for (const { word, syllables } of wordsOf(mandarinNumbers(text))) {
    const pause = PAUSES[word.charAt(0)]
    if (pause && /^[^,.?!]/.test(out.at(-1)?.[0] ?? 'a')) out.push([pause])
    if (syllables.length > 0) out.push(syllables)
  }
  return out
}

/** Mandarin text as units: words are separated by spaces, punctuation becomes pauses; tones are as spoken. */
export function mandarinToUnits(text: string): string {
  let out = ''
  for (const word of mandarinWords(text)) {
    const units = word.map(syllable => syllableToUnits(syllable) ?? '').join('')
    if (/^[,.?!]/.test(word[0] ?? '')) out += word[0] ?? ''
    else if (units) out += (out ? ' ' : '') + units
  }
  return spokenTones(out.trim())
}
