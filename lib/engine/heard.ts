import type { CtcText, NativeHeard } from '../binding.js'
import { ctcWords, type CtcUnit } from '../text/ctc.js'
import type { Heard, HeardUnit, Transcript } from '../turn.js'
import type { ModelInfo } from './weights.js'

/*
 * Converts the output of an encoder's CTC head to the types of the public API.
 */

/** Matches Chinese characters, or a pinyin syllable with a tone number at the start. */
const MANDARIN = /\p{Script=Han}|^[a-zü]+[1-5]\b/iu

const HAN_AT_END = /[\p{Script=Han}\u3000-\u303f\uff00-\uffef]$/u
const HAN_AT_START = /^[\p{Script=Han}\u3000-\u303f\uff00-\uffef]/u

/**
 * For an encoder whose units are sounds. The transcript also decides the language, because a short word of an unknown speaker may sound
 * like neither.
 */
export function heardSounds(native: NativeHeard, info: ModelInfo, text?: string): Heard {
  if (native.noSpeech) return { noSpeech: true, units: [] }
  const mandarin = native.mandarin || MANDARIN.test(text ?? '')
  return {
    language: mandarin ? 'zh' : 'en',
    units: withoutIds(unitsOf(native, info)),
    ...(mandarin && native.pinyin && { pinyin: native.pinyin }),
  }
}

/** Joins the transcripts of utterances, with a space between them unless there is Chinese on either side. */
export function joined(texts: readonly string[]): string {
  return texts
    .map(text => text.trim())
    .filter(text => text !== '')
    .reduce((all, text) => all + (all === '' || HAN_AT_END.test(all) || HAN_AT_START.test(text) ? '' : ' ') + text, '')
}

/** For an encoder whose units are letters. If there are no words, nobody spoke. */
export function heardWords(native: NativeHeard, info: ModelInfo, ctc: CtcText): Transcript {
  const units = unitsOf(native, info)
  const words = ctcWords(units, ctc)
  if (words.length === 0) return { noSpeech: true, text: '', words, units: withoutIds(units) }
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

/** Rounds to milliseconds, which are exact enough and easy to read. */
export function roundTime(seconds: number | undefined): number {
  return Math.round((seconds ?? 0) * 1000) / 1000
}
