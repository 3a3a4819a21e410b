import { InvalidArgumentError, SessionFormatError } from '../errors.js'
import { checkHistory, type HistoryRules } from '../messages.js'
import type { SessionOptions } from '../options.js'
import type { Message, Turn } from '../engine/conversation.js'

/*
 * The bytes of a saved session (docs/internals/session-file.md). Integers are little-endian.
 *
 *     magic, 8 bytes | version, u32 | length of the header, u32 | header, JSON
 *     for each part: the ids at its positions, i32 | for each block: keys and values, POSITIONS_AT_ONCE positions at a time
 *     SHA-256 of all of this, 32 bytes
 */

export const MAGIC: Uint8Array = Buffer.from('MOSSSESS', 'latin1')
/** Any change of the format, or of what keys and values mean, makes a new version. */
export const VERSION = 1
export const CHECKSUM_BYTES = 32
/** Half a megabyte of most models, which is hashed and copied in a millisecond or two. */
export const POSITIONS_AT_ONCE = 128
/** Much more than the messages and turns of any context take. */
export const LONGEST_HEADER = 1 << 24

/** The options of a session that it is saved with. */
export type Settings = Pick<SessionOptions, 'system' | 'thinking' | 'contextOverflow' | 'pronunciations'>

/** A part of the model, as far as it has a state. */
export interface PartHeader {
  /** Positions of the context; 0 for a part that is no language model. */
  length: number
  /** The context's length before each turn. */
  turns: number[]
  /** How many ids there are: as many as positions for an imported language model, otherwise 0. */
  ids: number
  /** The state of the generator of seeds, 32 bytes in hexadecimal digits. */
  random: string
  /** How keys and values are stored: `f32`, `f16`, `q8`, or ''. */
  type: string
  /** The bytes of the keys and values of a position, for each block. */
  positionBytes: number[]
  history: Message[]
}

export interface Header {
  /** The SHA-256 of each part's file. */
  models: Record<string, string>
  settings: Settings
  parts: Record<string, PartHeader>
}

/** Why a saved session cannot be loaded. */
export type Refusal = 'noSession' | 'cut' | 'damaged' | 'newer' | 'foreign'

export function refusal(reason: Refusal, message: string, details = {}, cause?: unknown): SessionFormatError {
  return new SessionFormatError(message, { reason, ...details }, { cause })
}

export function damaged(what: string, cause?: unknown): SessionFormatError {
  return refusal('damaged', `the saved session is damaged: ${what}`, {}, cause)
}

/** The bytes that follow the header, without the checksum. */
export function bodyBytes(parts: Header['parts']): number {
  const sizes = Object.values(parts).map(
    ({ length, ids, positionBytes }) => 4 * ids + length * positionBytes.reduce((sum, bytes) => sum + bytes, 0),
  )
  return sizes.reduce((sum, bytes) => sum + bytes, 0)
}

/** Checks that the JSON is that of a header. @throws {@link SessionFormatError} */
export function parseHeader(json: Uint8Array): Header {
  let found: unknown
  try {
    found = JSON.parse(Buffer.from(json).toString())
  } catch (cause) {
    throw damaged('its header cannot be read', cause)
  }
  const { models, settings, parts } = record(found, 'header')
  for (const part of Object.values(record(parts, 'parts'))) checkPart(record(part, 'part'))
  record(models, 'models')
  record(settings, 'settings')
  return found as Header
}

function checkPart({ length, turns, ids, random, type, positionBytes, history }: Record<string, unknown>): void {
  const isCount = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 31
  const areCounts = (value: unknown): boolean => Array.isArray(value) && value.every(isCount)
  if (!isCount(length)) throw damaged('a length')
  if (!areCounts(turns)) throw damaged('the turns')
  if (ids !== 0 && ids !== length) throw damaged('the ids')
  if (typeof random !== 'string' || !/^[0-9a-f]{64}$/.test(random)) throw damaged('the random state')
  if (typeof type !== 'string' || !areCounts(positionBytes)) throw damaged('the layout')
  if (!Array.isArray(history)) throw damaged('the messages')
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged(`its ${what}`)
  return value as Record<string, unknown>
}

/** The turns of a part. @throws {@link SessionFormatError} */
export function turnsOf({ history }: PartHeader, units: HistoryRules['units']): Turn[] {
  try {
    return checkHistory(history, { units, heard: true }).turns
  } catch (thrown) {
    throw thrown instanceof InvalidArgumentError ? damaged(thrown.message, thrown) : thrown
  }
}
