import { UnsupportedError } from '../errors.js'
import units from './units.json'

/*
 * nano's units: one character for each phoneme. This is the alphabet of the text front end; the ids are those of the
 * unit list in the loaded bundle.
 */

/** The alphabet of the text front end. */
export const UNITS: readonly string[] = units
/** Mandarin tones 1–4; a neutral one has no mark. */
export const TONES = ['→', '↗', '↓', '↘'] as const

const KNOWN = new Set(UNITS)

/** Removes all characters that are not units. */
export function onlyUnits(symbols: string): string {
  return [...symbols].filter(c => KNOWN.has(c)).join('')
}

/**
 * Converts units, one character each, to their indices in a model's list. @throws {@link UnsupportedError} the list
 * lacks a unit
 */
export function idsOfUnits(symbols: string, list: readonly string[]): Int32Array<ArrayBuffer> {
  return Int32Array.from(symbols, unit => {
    const id = list.indexOf(unit)
    if (id < 0) throw new UnsupportedError(`this model's units lack ${JSON.stringify(unit)}`, { unit })
    return id
  })
}

/** The language of units: Mandarin if a tone is among them. */
export function languageOf(symbols: Iterable<string>): 'en' | 'zh' {
  for (const symbol of symbols) if ((TONES as readonly string[]).includes(symbol)) return 'zh'
  return 'en'
}
