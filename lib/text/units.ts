import { UnsupportedError } from '../errors.js'
import units from './units.json'

/*
 * nano's units: one character a phoneme. The list of a loaded bundle is what counts; this one is the front end's alphabet.
 */

/** The alphabet in which the text front end writes. */
export const UNITS: readonly string[] = units
/** Mandarin tones 1–4; a neutral one has no mark. */
export const TONES = ['→', '↗', '↓', '↘'] as const

const KNOWN = new Set(UNITS)

/** Units of the alphabet only; anything else is left out. */
export function onlyUnits(symbols: string): string {
  return [...symbols].filter(c => KNOWN.has(c)).join('')
}

/** Units, one character each, as their places in a model's list. @throws {@link UnsupportedError} the list lacks one */
export function idsOfUnits(symbols: string, list: readonly string[]): Int32Array<ArrayBuffer> {
  return Int32Array.from(symbols, unit => {
    const id = list.indexOf(unit)
    if (id < 0) throw new UnsupportedError(`this model's units lack ${JSON.stringify(unit)}`, { unit })
    return id
  })
}

/** The language of a string of units: Mandarin where a tone is in it. */
export function languageOf(symbols: Iterable<string>): 'en' | 'zh' {
  for (const symbol of symbols) if ((TONES as readonly string[]).includes(symbol)) return 'zh'
  return 'en'
}
