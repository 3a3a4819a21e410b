import type { Message, Turn } from './engine/conversation.js'
import { InvalidArgumentError } from './errors.js'
import { checkOptions } from './options.js'

/** The longest message, in characters; as for the input of a turn. */
const LONGEST_TEXT = 100_000
const MOST_UNITS = 65_536

/** Messages as turns, with the system prompt if there is one. */
export interface PastConversation {
  system?: string
  turns: Turn[]
}

/** What the messages of a history may be. */
export interface HistoryRules {
  /** The units of the model's replies; undefined if it replies in writing only. */
  units: readonly string[] | undefined
  /** Whether messages of the user may be speech of which only the units are known. */
  heard: boolean
}

/**
 * Checks a history: at first a message of the system perhaps, then the user and the assistant in turn.
 *
 * @throws {@link InvalidArgumentError} `details.index` is the message that is wrong
 */
export function checkHistory(value: unknown, rules: HistoryRules): PastConversation {
  if (!Array.isArray(value)) throw wrong('history must be an array of messages')
  const messages = value.map((message, i) => checkMessage(message, i, rules))
  const past: PastConversation = { turns: [] }
  if (messages[0]?.role === 'system') past.system = messages.shift()?.text ?? ''
  const skipped = value.length - messages.length
  for (let i = 0; i < messages.length; i += 2) {
    const [user, assistant] = [messages[i], messages[i + 1]]
    if (user?.role !== 'user') throw outOfOrder(skipped + i, 'user', user)
    if (assistant?.role !== 'assistant') throw outOfOrder(skipped + i + 1, 'assistant', assistant)
    past.turns.push({ user, assistant })
  }
  return past
}

function checkMessage(value: unknown, index: number, rules: HistoryRules): Message {
  const name = `history[${index}]`
  const { role, text, units } = checkOptions<{ role?: unknown; text?: unknown; units?: unknown }>(
    name,
    value as object | undefined,
    ['role', 'text', 'units'],
  )
  if (role !== 'system' && role !== 'user' && role !== 'assistant')
    throw wrong(`${name}.role must be system, user or assistant, not ${JSON.stringify(role)}`, index)
  const symbols = units === undefined ? undefined : checkUnits(name, units, index)
  const known = rules.units ?? []
  const unknown = role === 'assistant' ? symbols?.find(unit => known.indexOf(unit) < 1) : undefined // [0] is the blank
  if (unknown !== undefined)
    throw wrong(`${name}.units: the replies of this model have no unit ${JSON.stringify(unknown)}`, index)
  if (text === undefined) {
    if (role === 'user' && symbols && !rules.heard)
      throw wrong(
        `${name} was heard without a transcript, so its text is not known: only save() and loadSession() keep what was heard`,
        index,
      )
    if (!symbols) throw wrong(`${name} has no text`, index)
    return { role, units: symbols }
  }
  if (typeof text !== 'string') throw wrong(`${name}.text must be a string`, index)
  if (text.length > LONGEST_TEXT)
    throw wrong(`${name}.text has ${text.length} characters; at most ${LONGEST_TEXT} are taken`, index)
  if (role !== 'assistant' && text.trim() === '') throw wrong(`${name}.text is empty`, index)
  return { role, text, ...(symbols && { units: symbols }) }
}

function checkUnits(name: string, units: unknown, index: number): string[] {
  if (!Array.isArray(units) || units.length > MOST_UNITS || units.some(unit => typeof unit !== 'string'))
    throw wrong(`${name}.units must be an array of at most ${MOST_UNITS} symbols`, index)
  return [...(units as string[])]
}

function outOfOrder(index: number, expected: string, found: Message | undefined): InvalidArgumentError {
  const what = found ? `is of the ${found.role}` : 'is missing'
  return wrong(`history[${index}] ${what}: after a system message, the user and the assistant take turns, and the history ends with the assistant; expected the ${expected}`, index) // prettier-ignore
}

function wrong(message: string, index?: number): InvalidArgumentError {
  return new InvalidArgumentError(message, { option: 'history', ...(index !== undefined && { index }) })
}
