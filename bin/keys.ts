import { emitKeypressEvents } from 'node:readline'
import type { ReadStream } from 'node:tty'

/** What of a terminal the keys need. */
type Terminal = Pick<ReadStream, 'isTTY' | 'setRawMode' | 'on' | 'off' | 'resume' | 'pause'> & NodeJS.ReadableStream

/** A key, by its name in Node's `keypress` events, and what it does. */
export type Keys = Readonly<Record<string, () => void>>

/**
 * Listens to keys while the work runs, without waiting for Enter, if the input is a terminal. Ctrl-C stops the command as it does otherwise.
 */
export async function withKeys<T>(terminal: Terminal, keys: Keys, work: () => Promise<T>): Promise<T> {
  if (!terminal.isTTY) return work()
  const press = (_: unknown, { name = '', ctrl = false }: { name?: string; ctrl?: boolean }): void => {
    if (ctrl && name === 'c') process.kill(process.pid, 'SIGINT')
    else if (!ctrl) keys[name]?.()
  }
  emitKeypressEvents(terminal)
  terminal.setRawMode(true)
  terminal.on('keypress', press)
  terminal.resume()
  try {
    return await work()
  } finally {
    terminal.off('keypress', press)
    terminal.pause()
    terminal.setRawMode(false)
  }
}
