import type { CtcText, NativeHeard } from './binding.js'
import type { ModelInfo } from './part.js'
import { ctcWords, type CtcUnit } from './text/ctc.js'
import { languageHeard, unitsToPinyin } from './text/pinyin.js'
import type { Heard, HeardUnit, Transcript } from './turn.js'

/*
 * What an encoder's CTC head heard, as users get it.
 */

/** Of an encoder whose units are sounds. */
export function heardSounds(native: NativeHeard, info: ModelInfo): Heard {
  const units = withoutIds(unitsOf(native, info))
  const symbols = units.map(u => u.unit)
  const classes = native.tones.length / units.length
  const tones = classes ? symbols.map((_, i) => native.tones.subarray(i * classes, (i + 1) * classes)) : []
  const language = languageHeard(symbols, tones)
  const pinyin = language === 'zh' ? unitsToPinyin(symbols, tones) : ''
  return { language, units, ...(pinyin && { pinyin }) }
}

/** Of an encoder whose units are letters. */
export function heardWords(native: NativeHeard, info: ModelInfo, ctc: CtcText): Transcript {
  const units = unitsOf(native, info)
  const words = ctcWords(units, ctc)
  return { text: words.map(w => w.word).join(' '), words, units: withoutIds(units) }
}

function unitsOf({ units: ids, starts, ends }: NativeHeard, info: ModelInfo): CtcUnit[] {
  return Array.from(ids, (id, i) => ({
    id,
    unit: info.units[id] ?? '',
    start: roundTime(starts[i]),
    end: roundTime(ends[i]),
  }))
}

const withoutIds = (units: readonly CtcUnit[]): HeardUnit[] => units.map(({ id: _, ...unit }) => unit)

/** Milliseconds are exact enough, and print well. */
function roundTime(seconds: number | undefined): number {
  return Math.round((seconds ?? 0) * 1000) / 1000
}
