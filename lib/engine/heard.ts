import type { CtcText, NativeHeard } from '../binding.js'
import { ctcWords, type CtcUnit } from '../text/ctc.js'
import type { Heard, HeardUnit, Transcript } from '../turn.js'
import type { ModelInfo } from './weights.js'

/*
 * What an encoder's CTC head heard, as users get it.
 */

/** Characters, or a syllable with its tone. */
const MANDARIN = /\p{Script=Han}|^[a-zü]+[1-5]\b/iu

/** Of an encoder whose units are sounds. A short word of an unknown speaker may sound like neither language: what was written down also tells. */
export function heardSounds(native: NativeHeard, info: ModelInfo, text?: string): Heard {
  const mandarin = native.mandarin || MANDARIN.test(text ?? '')
  return {
    language: mandarin ? 'zh' : 'en',
    units: withoutIds(unitsOf(native, info)),
    ...(mandarin && native.pinyin && { pinyin: native.pinyin }),
  }
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
