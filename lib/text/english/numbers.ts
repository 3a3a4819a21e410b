import { toWords, toWordsOrdinal } from 'number-to-words'

/* Numbers → English words. Numbers are strings as they are written, because leading zeros matter. */

const ONES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']
/** Longer numbers are read digit by digit. */
const LONGEST = 15

/** `105` → `one zero five`; other characters are left out. */
export const digits = (s: string): string => [...s].flatMap(d => ONES[Number(d)] ?? []).join(' ')

/** `105` → `one hundred five`; a number that is too long, or has a leading zero, is read digit by digit. */
export function cardinal(s: string): string {
  if (s.length > LONGEST || (s.length > 1 && s.startsWith('0'))) return digits(s)
  return toWords(Number(s)).replaceAll(',', '')
}

/** `21` → `twenty-first`. */
export function ordinal(s: string): string {
  return s.length > LONGEST ? digits(s) : toWordsOrdinal(Number(s)).replaceAll(',', '')
}

/** `3.05` → `three point zero five`; `1,234` → `one thousand two hundred thirty-four`. */
export function number(s: string): string {
  const [whole = '', fraction] = s.replaceAll(',', '').split('.')
  return fraction === undefined ? cardinal(whole) : `${cardinal(whole || '0')} point ${digits(fraction)}`
}

/** `1984` → `nineteen eighty-four`, for the numbers that are read like this. */
export function year(s: string): string {
  if (s.length !== 4 || s.startsWith('0')) return cardinal(s)
  const [century, rest] = [s.slice(0, 2), Number(s.slice(2))]
  if (s.endsWith('000') || (s.startsWith('20') && rest < 10)) return cardinal(s)
  if (rest === 0) return `${cardinal(century)} hundred`
  return `${cardinal(century)} ${rest < 10 ? `oh ${cardinal(String(rest))}` : cardinal(String(rest))}`
}

/** The plural: `twenty` → `twenties`, `hundred` → `hundreds`. */
export const plural = (word: string): string =>
  word.endsWith('y') ? `${word.slice(0, -1)}ies` : word.endsWith('x') ? `${word}es` : `${word}s`

/** `1990` → `nineteen nineties`, `1800` → `eighteen hundreds`, `90` → `nineties`. */
export const decade = (s: string): string => plural(year(s))

const DENOMINATORS: Record<string, [one: string, many: string]> = {
  '2': ['half', 'halves'],
  '4': ['quarter', 'quarters'],
}

/** `3`, `4` → `three quarters`. */
export function fraction(numerator: string, denominator: string): string {
  const one = DENOMINATORS[denominator]?.[0] ?? ordinal(denominator)
  const many = DENOMINATORS[denominator]?.[1] ?? plural(one)
  return `${cardinal(numerator)} ${numerator === '1' ? one : many}`
}

/** `1`, `1`, `2` → `one and a half`. */
export function mixedFraction(whole: string, numerator: string, denominator: string): string {
  const part = fraction(numerator, denominator)
  return `${cardinal(whole)} and ${numerator === '1' ? part.replace(/^one/, /^one (?:eigh|eleven)/.test(part) ? 'an' : 'a') : part}`
}

const ROMAN = /^(?=[IVXLC])(?:X[CL]|L?X{0,3})?(?:I[XV]|V?I{0,3})$/
const ROMAN_VALUES: Record<string, number> = { I: 1, V: 5, X: 10, L: 50, C: 100 }

/** `XIV` → 14; undefined if it is not a Roman numeral below 100. */
export function romanNumeral(s: string): number | undefined {
  if (!ROMAN.test(s)) return undefined
  const values = Array.from(s, c => ROMAN_VALUES[c] ?? 0)
  return values.reduce((sum, value, i) => sum + (value < (values[i + 1] ?? 0) ? -value : value), 0)
}
