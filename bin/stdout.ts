import { fstatSync, ftruncateSync, write } from 'node:fs'
import { promisify } from 'node:util'
import { sent, type ByteSink } from '../lib/audio/sink.js'
import { fileError, writeAll } from '../lib/files.js'

/** The reader of standard output has closed it (`| head`). This is not a failure, but the command should stop. */
export class ReaderGone extends Error {}

const DESCRIPTOR = 1
const GONE = ['EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']

// Errors are reported by print() to its caller. Errors of other writers cannot be reported anywhere.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)

/** Standard output as a file. Node's own stream does not notice when a full disk accepts only a part of the bytes. */
const file = {
  write: (bytes: Uint8Array, offset: number, length: number, position: number | null) =>
    promisify(write)(DESCRIPTOR, bytes, offset, length, position),
}

/** Whether standard output is redirected to a file or a device, not to a pipe or a terminal. */
function isFile(): boolean {
  if (process.stdout.isTTY) return false
  const stat = fstatSync(DESCRIPTOR)
  return stat.isFile() || stat.isCharacterDevice()
}

async function reporting(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    if (GONE.includes((cause as NodeJS.ErrnoException).code ?? '')) throw new ReaderGone()
    throw fileError('standard output', 'write', cause)
  }
}

let before: Promise<unknown> = Promise.resolve()

/**
 * Writes to standard output, after all earlier writes. Resolves when the data has been accepted.
 *
 * @throws {@link FileError} the disk is full …; {@link ReaderGone}
 */
export function print(data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  const printed = before.then(() =>
    reporting(() => (isFile() ? writeAll(file, bytes) : sent(done => process.stdout.write(bytes, done)))),
  )
  before = printed.catch(() => undefined)
  return printed
}

/** Writes audio to standard output. If that is a new file, its first bytes can be overwritten. */
export class StdoutSink implements ByteSink {
  readonly streams = true
  readonly #fresh = fstatSync(DESCRIPTOR).isFile() && fstatSync(DESCRIPTOR).size === 0

  write(bytes: Uint8Array): Promise<void> {
    return print(bytes)
  }

  async rewrite(bytes: Uint8Array): Promise<void> {
    if (!this.#fresh) return
    const { size } = fstatSync(DESCRIPTOR)
    await reporting(() => writeAll(file, bytes, 0))
    // A file that was opened for appending (`>>`) gets all bytes at its end, so they are removed again.
    if (fstatSync(DESCRIPTOR).size > size) ftruncateSync(DESCRIPTOR, size)
  }

  commit(): Promise<void> {
    return Promise.resolve()
  }

  discard(): Promise<void> {
    return Promise.resolve()
  }
}
