import { InvalidArgumentError } from '../errors.js'
import { SpokenText } from '../text/spoken-text.js'
import type { TextStream } from '../turn.js'
import type { Channel } from './concurrent.js'
import { untilAborted } from './streaming.js'

/* Text that arrives in pieces, such as the tokens of another program's language model. */

/** The most sentences that may wait to be spoken. Whoever writes them waits when there are as many. */
export const SENTENCES_AHEAD = 8

/** Whether a value can be read as a stream of text. A string is none. */
export function isTextStream(value: unknown): value is TextStream {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
}

/**
 * The pieces of a stream of text. When the signal aborts or the reader stops, the source is told to return, but not waited for: it may wait for
 * something that never comes.
 *
 * @throws {@link InvalidArgumentError} for a piece that is not a string, or when there are more than `longest` characters
 */
export async function* piecesOf(
  source: TextStream,
  longest: number,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const reader: AsyncIterator<unknown> | Iterator<unknown> =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  let ended = false
  let length = 0
  try {
    for (;;) {
      const step: IteratorResult<unknown, unknown> = await untilAborted(Promise.resolve(reader.next()), signal)
      ended = step.done === true
      if (ended) return
      const { value } = step
      if (typeof value !== 'string')
        throw new InvalidArgumentError('text: a stream of text must yield strings', { option: 'text' })
      if ((length += value.length) > longest)
        throw new InvalidArgumentError(`text has more than ${longest} characters`, { option: 'text', limit: longest })
      if (value !== '') yield value
    }
  } catch (thrown) {
    ended ||= !signal.aborted && !(thrown instanceof InvalidArgumentError) // the source has thrown
    throw thrown
  } finally {
    if (!ended) void Promise.resolve(reader.return?.()).catch(() => undefined)
  }
}

/** Puts the sentences of a text into a channel, each as soon as the next one has begun, and closes it. Calls `read` with each piece. */
export async function sendSentences(
  pieces: AsyncIterable<string>,
  sentences: Channel<string>,
  read: (piece: string) => void,
): Promise<void> {
  const spoken = new SpokenText()
  try {
    for await (const piece of pieces) {
      read(piece)
      for (const sentence of spoken.push(piece)) await sentences.put(sentence)
      if (sentences.closed) return
    }
    for (const sentence of spoken.end()) await sentences.put(sentence)
  } finally {
    sentences.close()
  }
}
