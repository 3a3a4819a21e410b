import type { Heard, HeardUnit } from '../../lib/index.js'

/** What was heard, as `--json` prints it. */
export interface HeardJson {
  text: string
  language: 'en' | 'zh'
  units: HeardUnit[]
  pinyin?: string
}

export function heardJson({ text = '', language, units, pinyin }: Heard): HeardJson {
  return { text, language, units, ...(pinyin !== undefined && { pinyin }) }
}

/** For people: the text, and the pinyin or the phonemes. */
export function heardLine({ text = '', units, pinyin }: Heard): string {
  const sounds =
    pinyin ??
    `/${units
      .map(u => u.unit)
      .join('')
      .trim()}/`
  return `heard  ${text}  ${sounds}`
}

/** To the millisecond. */
export function roundSeconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000
}
