import type { Heard, HeardUnit, HeardWord } from '../../lib/index.js'

/** What was heard, as `--json` prints it. */
export interface HeardJson {
  text: string
  language?: 'en' | 'zh'
  words?: HeardWord[]
  units: HeardUnit[]
  pinyin?: string
}

export function heardJson({ text = '', language, words, units, pinyin }: Heard & { words?: HeardWord[] }): HeardJson {
  return {
    text,
    ...(language && { language }),
    ...(words && { words }),
    units,
    ...(pinyin !== undefined && { pinyin }),
  }
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
