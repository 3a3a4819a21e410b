import { randomUUID } from 'node:crypto'
import { constants, openSync, type Stats } from 'node:fs'
import { copyFile, lstat, open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { abortedBy, FileError } from '../errors.js'
import { fileError, writeAll, writing } from '../files.js'

/** A file, pipe or device that bytes are written to. All functions reject with {@link FileError}. */
export interface ByteSink {
  /** True for a pipe or device: bytes cannot be changed once they are written, and the reader may be slow. */
  readonly streams: boolean
  /** Resolves when all bytes have been accepted. */
  write(bytes: Uint8Array): Promise<void>
  /** Overwrites the first bytes, if the sink is a file; otherwise does nothing. */
  rewrite(bytes: Uint8Array): Promise<void>
  /** Completes the output. A file is moved to its name now, or to `path`. */
  commit(path?: string): Promise<void>
  /** Discards the output: a file is removed. Never rejects. */
  discard(): Promise<void>
}

/** How often to check whether a pipe has a reader. */
const LOOK_EVERY = 50 // ms
/** Error codes of a folder in which no file can be created, though an existing file may be writable. */
const NO_NEW_FILE = ['EACCES', 'EPERM', 'EROFS']

/**
 * Opens a path for writing. A file is written under a temporary name in the same folder and moved to its name when it
 * is complete; only then is an older file replaced. For a pipe, waits until it has a reader. Pipes and devices get the
 * bytes as they are written.
 *
 * @throws {@link FileError}; {@link AbortedError} the signal aborted while waiting for the reader of a pipe
 */
export async function openSink(path: string, signal?: AbortSignal): Promise<ByteSink> {
  try {
    const found = await stat(path).catch(() => undefined)
    if (found?.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' })
    if (found?.isFIFO() && process.platform !== 'win32') return await PipeSink.open(path, signal)
    if (found && !found.isFile()) return new DeviceSink(path, await open(path, 'w'))
    return await openFile(path, found)
  } catch (cause) {
    throw signal?.aborted ? abortedBy(signal) : fileError(path, 'write', cause)
  }
}

async function openFile(path: string, found: Stats | undefined): Promise<FileSink> {
  // A symbolic link to a file that does not exist yet is followed, not replaced.
  const dangling = !found && (await lstat(path).catch(() => undefined))
  if (dangling) return new FileSink(path, await open(path, 'w'))
  const target = found ? await realpath(path) : path
  const part = `${target}.${randomUUID().slice(0, 8)}.part`
  try {
    return new FileSink(target, await open(part, 'wx', found ? found.mode & 0o777 : 0o666), part)
  } catch (cause) {
    if (!found || !NO_NEW_FILE.includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause
    return new FileSink(target, await open(target, 'r+'))
  }
}

class FileSink implements ByteSink {
  readonly streams = false
  #position = 0

  /** @param part - the temporary name; if undefined, the file is written in place */
  constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly part?: string,
  ) {}

  async write(bytes: Uint8Array): Promise<void> {
    await writing(this.path, () => writeAll(this.file, bytes, this.#position))
    this.#position += bytes.length
  }

  rewrite(bytes: Uint8Array): Promise<void> {
    return writing(this.path, () => writeAll(this.file, bytes, 0))
  }

  async commit(path = this.path): Promise<void> {
    try {
      await writing(path, async () => {
        await this.file.truncate(this.#position) // an older file that is overwritten in place may be longer
        await this.file.datasync() // reports a full disk that has gone unnoticed so far
        await this.file.close()
      })
    } catch (thrown) {
      await this.discard()
      throw thrown
    }
    const { part } = this
    if (part === undefined) return
    // A single file that is mounted, for instance into a container, cannot be replaced, but its contents can.
    await rename(part, path).catch(async (cause: unknown) => {
      await copyFile(part, path).catch(() => {
        const { message, details } = fileError(path, 'write', cause)
        throw new FileError(`${message}; it is in ${part}`, { ...details, part }, { cause })
      })
      await rm(part, { force: true })
    })
  }

  async discard(): Promise<void> {
    await this.file.close().catch(() => undefined)
    if (this.part !== undefined) await rm(this.part, { force: true }).catch(() => undefined)
  }
}

abstract class OneWaySink implements ByteSink {
  readonly streams = true
  constructor(protected readonly path: string) {}
  abstract write(bytes: Uint8Array): Promise<void>
  abstract commit(): Promise<void>
  abstract discard(): Promise<void>

  rewrite(): Promise<void> {
    return Promise.resolve()
  }
}

class DeviceSink extends OneWaySink {
  constructor(
    path: string,
    private readonly file: FileHandle,
  ) {
    super(path)
  }

  write(bytes: Uint8Array): Promise<void> {
    return writing(this.path, () => writeAll(this.file, bytes))
  }

  commit(): Promise<void> {
    return writing(this.path, () => this.file.close())
  }

  discard(): Promise<void> {
    return this.file.close().catch(() => undefined)
  }
}

/**
 * A named pipe. Opening it like a file would block a thread until there is a reader, and so keep the process from
 * ending.
 */
class PipeSink extends OneWaySink {
  readonly #socket: Socket

  private constructor(path: string, fd: number) {
    super(path)
    this.#socket = new Socket({ fd, readable: false, writable: true })
    this.#socket.on('error', () => undefined) // reported by write()
  }

  static async open(path: string, signal: AbortSignal | undefined): Promise<PipeSink> {
    for (;;) {
      const fd = openPipe(path)
      if (fd !== undefined) return new PipeSink(path, fd)
      await sleep(LOOK_EVERY, undefined, signal && { signal })
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return writing(this.path, () => sent(done => this.#socket.write(bytes, done)))
  }

  commit(): Promise<void> {
    return writing(this.path, () => sent(done => this.#socket.end(done)))
  }

  discard(): Promise<void> {
    this.#socket.destroy()
    return Promise.resolve()
  }
}

/** Opens a pipe for writing; undefined while it has no reader. */
function openPipe(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENXIO') return undefined
    throw cause
  }
}

/** Resolves when the callback that `give` passes to a stream is called, and rejects with its error. */
export function sent(give: (done: (error?: Error | null) => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => give(error => (error ? reject(error) : resolve())))
}
