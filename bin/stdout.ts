import { fstatSync, ftruncateSync, write } from 'node:fs'
import { promisify } from 'node:util'
import { sent, type ByteSink } from '../lib/audio/sink.js'
import { fileError, writeAll } from '../lib/files.js'

/** A reader that has seen enough (`| head`): nothing more is wanted, and nothing has failed. */
export class ReaderGone extends Error {}

const DESCRIPTOR = 1
const GONE = ['EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']

// Errors are told to who writes (and where messages cannot be written, nobody can be told).
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)

/** Standard output as a file is: Node's own stream takes it for written when a full disk took a part. */
const file = {
  write: (bytes: Uint8Array, offset: number, length: number, position: number | null) =>
    promisify(write)(DESCRIPTOR, bytes, offset, length, position),
}

/** Whether it is redirected to a file or a device, not to a pipe or a terminal. */
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
 * Writes to standard output, after what was written before. Resolves when it has been taken.
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

/** Audio on standard output. Where that is a new file, its first bytes can be written anew. */
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
    // A file that was opened for appending (`>>`) takes all bytes at its end: they are taken off again.
    if (fstatSync(DESCRIPTOR).size > size) ftruncateSync(DESCRIPTOR, size)
  }

  commit(): Promise<void> {
    return Promise.resolve()
  }

  discard(): Promise<void> {
    return Promise.resolve()
  }
}
