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

/** The language of a string of units: Mandarin where a tone is in it. */
export function languageOf(symbols: Iterable<string>): 'en' | 'zh' {
  for (const symbol of symbols) if ((TONES as readonly string[]).includes(symbol)) return 'zh'
  return 'en'
}
