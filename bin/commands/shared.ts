import type { FinishReason, Heard, HeardUnit, HeardWord, Model, Reply } from '../../lib/index.js'
import type { ReplyFlags } from '../options.js'
import { warn } from '../output.js'

/** What was heard, as `--json` prints it. */
export interface HeardJson {
  noSpeech?: true
  text: string
  language?: 'en' | 'zh'
  words?: HeardWord[]
  units: HeardUnit[]
  pinyin?: string
  warning?: string
}

export function heardJson({ noSpeech, text = '', language, words, units, pinyin, warning }: Heard): HeardJson {
  return {
    ...(noSpeech && { noSpeech }),
    text,
    ...(language && { language }),
    ...(words && { words }),
    units,
    ...(pinyin !== undefined && { pinyin }),
    ...(warning !== undefined && { warning }),
  }
}

/** Warns of a defect of an audio file, or if nobody speaks in it. */
export function warnOfInput(input: string, { warning, noSpeech }: Pick<Heard, 'warning' | 'noSpeech'>): void {
  const name = input === '-' ? 'standard input' : input
  if (warning !== undefined) warn(`${name}: ${warning}`)
  if (noSpeech) warn(`${name}: no speech was heard in it`)
}

/** A reply, as `--json` prints it. */
export interface ReplyJson {
  text: string
  seconds: number
  finishReason: FinishReason
  dropped?: number
}

export function replyJson({ text, seconds, finishReason, dropped }: Pick<Reply, keyof ReplyJson>): ReplyJson {
  return { text, seconds: roundSeconds(seconds), finishReason, ...(dropped !== undefined && { dropped }) }
}

/** Warns of a reply that was cut short or for which old turns were forgotten, and says what helps. */
export function warnOfCut({ finishReason, seconds, dropped }: ReplyJson, model: Model, flags: ReplyFlags): void {
  const longer = {
    stop: undefined,
    noSpeech: undefined,
    maxSeconds: `after ${roundSeconds(seconds)} s: --max-seconds takes more, up to 600`,
    maxTokens: `after ${flags.maxTokens ?? 512} tokens: --max-tokens takes more`,
    contextLength: `where the context of ${model.info().nCtx} positions was full: a larger --context-length leaves more room`,
  }[finishReason]
  if (longer !== undefined) warn(`the reply was cut ${longer}`)
  if (dropped !== undefined)
    warn(`the context was full: the oldest ${dropped === 1 ? 'turn was' : `${dropped} turns were`} forgotten; a larger --context-length keeps more`) // prettier-ignore
}

/** What was heard, for people: the text and, if units are sounds, the pinyin or the phonemes. */
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

/** Rounds to milliseconds. */
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
