import type { Prosody } from '../marks.js'

/* Parsers for the values of SSML's attributes. They return undefined for an invalid value. */

const RATES: Record<string, number> = { 'x-slow': 0.5, slow: 0.75, medium: 1, default: 1, fast: 1.3, 'x-fast': 1.7 }
const PITCHES: Record<string, number> = { 'x-low': -6, low: -3, medium: 0, default: 0, high: 3, 'x-high': 6 }
const VOLUMES: Record<string, number> = {
  silent: 0,
  'x-soft': 0.25,
  soft: 0.5,
  medium: 1,
  default: 1,
  loud: 1.4,
  'x-loud': 2,
}
const STRENGTHS: Record<string, number> = {
  none: 0,
  'x-weak': 0.1,
  weak: 0.2,
  medium: 0.4,
  strong: 0.75,
  'x-strong': 1.2,
}
/** The largest shift of the pitch, in semitones. */
const FARTHEST = 12

const own = (table: Record<string, number>, name: string): number | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

/** Seconds: `500ms`, `1.5s`. At most a minute. */
export function seconds(value: string): number | undefined {
  const match = /^\s*\+?(\d+(?:\.\d+)?|\.\d+)(ms|s)\s*$/i.exec(value)
  if (!match) return undefined
  const found = Number(match[1]) / (match[2]?.toLowerCase() === 'ms' ? 1000 : 1)
  return found <= 60 ? found : undefined
}

/** The seconds of a break by its strength. */
export const strength = (value: string): number | undefined => own(STRENGTHS, value.trim())

/** A factor on the speed: `fast`, `120%`, `+20%`, `1.2`. */
export function rate(value: string): number | undefined {
  const named = own(RATES, value.trim())
  if (named !== undefined) return named
  const match = /^\s*([+-])?(\d+(?:\.\d+)?|\.\d+)(%)?\s*$/.exec(value)
  if (!match) return undefined
  const n = Number(match[2]) / (match[3] ? 100 : 1)
  const factor = match[1] === undefined ? n : match[1] === '+' ? 1 + n : 1 - n
  return factor >= 0.25 && factor <= 4 ? factor : undefined
}

/** Semitones: `high`, `+2st`, `-10%`. */
export function pitch(value: string): number | undefined {
  const named = own(PITCHES, value.trim())
  if (named !== undefined) return named
  const match = /^\s*([+-])(\d+(?:\.\d+)?|\.\d+)\s*(st|%)\s*$/i.exec(value)
  if (!match) return undefined
  const n = Number(`${match[1] ?? ''}${match[2] ?? ''}`)
  const found = match[3] === '%' ? 12 * Math.log2(1 + n / 100) : n
  return Math.abs(found) <= FARTHEST ? found : undefined
}

/** A factor on the samples: `soft`, `-6dB`, `50` (of 100), `+10%`. */
export function volume(value: string): number | undefined {
  const named = own(VOLUMES, value.trim())
  if (named !== undefined) return named
  const match = /^\s*([+-])?(\d+(?:\.\d+)?|\.\d+)\s*(dB|%)?\s*$/i.exec(value)
  if (!match) return undefined
  const n = Number(match[2])
  const signed = match[1] === '-' ? -n : n
  const unit = match[3]?.toLowerCase()
  const gain = unit === 'db' ? 10 ** (signed / 20) : match[1] === undefined ? n / 100 : 1 + signed / 100
  return gain >= 0 && gain <= 10 ? gain : undefined
}

/** The prosody of each level of emphasis. The pitch is used only if the voice supports it. */
export const EMPHASES: Readonly<Record<string, Prosody>> = {
  strong: { speed: 0.85, pitch: 2, gain: 1.4 },
  moderate: { speed: 0.92, pitch: 1, gain: 1.2 },
  none: { speed: 1, pitch: 0, gain: 1 },
  reduced: { speed: 1.1, pitch: -1, gain: 0.8 },
}
