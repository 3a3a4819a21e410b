import type { Heard, HeardUnit, HeardWord } from '../../lib/index.js'

/** What was heard, as `--json` prints it. */
export interface HeardJson {
  text: string
  language?: 'en' | 'zh'
  words?: HeardWord[]
  units: HeardUnit[]
  pinyin?: string
}

export function heardJson({ text = '', language, words, units, pinyin }: Heard): HeardJson {
  return {
    text,
    ...(language && { language }),
    ...(words && { words }),
    units,
    ...(pinyin !== undefined && { pinyin }),
  }
}

/** For people: the text, and the pinyin or the phonemes where units are sounds. */
export function heardLine({ text = '', words, units, pinyin }: Heard): string {
  if (words) return `heard  ${text}`
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

/** `34 %`. */
export function percent(done: number, total: number): string {
  return `${total > 0 ? Math.floor((100 * done) / total) : 100} %`
}

/** `q8_0 80 %, f16 15 %, f32 5 %`, by bytes. */
export function typesLine(tensors: readonly { type: string; bytes: number }[]): string {
  const bytes = new Map<string, number>()
  for (const tensor of tensors) bytes.set(tensor.type, (bytes.get(tensor.type) ?? 0) + tensor.bytes)
  const total = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)
  return [...bytes]
    .sort((a, b) => b[1] - a[1])
    .map(([type, share]) => `${type} ${percent(share, total)}`)
    .join(', ')
}
