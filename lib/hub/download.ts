import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, stat, statfs, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { abortedBy, DownloadError, FileError } from '../errors.js'
import { fileError, writeAll, writing } from '../files.js'
import { failure, get, TransientError, type Endpoint, type Subject } from './request.js'

/** A file of a repository, as the server describes it. */
export interface RemoteFile {
  readonly name: string
  readonly size: number
  /** The checksum of the contents (large files), or of the git object (small files). */
  readonly checksum: { readonly kind: 'sha256' | 'git-sha1'; readonly hex: string }
}

export interface DownloadOptions {
  signal?: AbortSignal | undefined
  /** Called with the number of bytes that have been downloaded. */
  onBytes?: (done: number) => void
}

/**
 * The number of successive tries without a new byte before the download fails. Between them it waits 0.5, 1, 2 and 4
 * seconds.
 */
const TRIES = 5
const FIRST_WAIT_SECONDS = 0.5
const LONGEST_WAIT_SECONDS = 60
/** A lock that has not been renewed for this long belongs to a dead process. */
const STALE_LOCK_MS = 20_000

/**
 * Downloads a file to `path`. The bytes are kept in `path.incomplete` until the file is complete and its checksum is
 * right; a later call resumes from there. Only one process downloads a file at a time: `lockPath` is a folder that
 * exists as long as the lock is held.
 *
 * @throws {@link DownloadError}, {@link FileError}, {@link AbortedError}
 */
export async function download(
  endpoint: Endpoint,
  url: string,
  file: RemoteFile,
  subject: Subject,
  path: string,
  lockPath: string,
  { signal, onBytes }: DownloadOptions = {},
): Promise<void> {
  const controller = new AbortController()
  const stop = (): void => controller.abort(signal?.reason)
  await writing(path, async () => {
    await mkdir(dirname(path), { recursive: true })
    await mkdir(dirname(lockPath), { recursive: true })
  })
  const { default: lockfile } = await import('proper-lockfile') // loaded only when it is needed
  const unlock = await lockfile
    .lock(path, {
      lockfilePath: lockPath,
      realpath: false,
      stale: STALE_LOCK_MS,
      onCompromised: error => controller.abort(error),
    })
    .catch((cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).code !== 'ELOCKED') throw fileError(lockPath, 'write', cause)
      throw new DownloadError(`${file.name} is being downloaded by another process; wait for it`, { path }, { cause })
    })
  try {
    if (signal?.aborted) throw abortedBy(signal)
    signal?.addEventListener('abort', stop, { once: true })
    await new Transfer(endpoint, url, file, subject, `${path}.incomplete`, controller.signal, onBytes).run()
    await writing(path, () => rename(`${path}.incomplete`, path))
  } finally {
    signal?.removeEventListener('abort', stop)
    await unlock().catch(() => undefined)
  }
}

/** The download of one file to its partial file. */
class Transfer {
  #done = 0
  #hash: Hash

  constructor(
    private readonly endpoint: Endpoint,
    private readonly url: string,
    private readonly file: RemoteFile,
    private readonly subject: Subject,
    private readonly part: string,
    private readonly signal: AbortSignal,
    private readonly onBytes: ((done: number) => void) | undefined,
  ) {
    this.#hash = this.#newHash()
  }

  async run(): Promise<void> {
    const handle = await writing(this.part, () => open(this.part, 'a'))
    try {
      await this.#takeUp()
      await this.#requireSpace()
      for (let whole = 1; ; whole++) {
        await this.#fetchAll(handle)
        if (this.#hash.digest('hex') === this.file.checksum.hex) break
        await this.#restart(handle)
        if (whole < 2) continue // the partial file may have been damaged
        throw new DownloadError(
          `${this.file.name}: the file has another checksum than the server announced, twice; it was discarded. Pull again later`,
          { file: this.file.name, expected: this.file.checksum.hex },
        )
      }
      await writing(this.part, () => handle.sync())
    } finally {
      await handle.close()
      if (this.#done === 0 && this.file.size > 0) await rm(this.part, { force: true })
    }
  }

  /** Hashes the bytes that an earlier download left. */
  async #takeUp(): Promise<void> {
    const { size } = await writing(this.part, () => stat(this.part))
    if (size === 0 || size > this.file.size) return writing(this.part, () => this.#truncate())
    await writing(this.part, async () => {
      for await (const chunk of createReadStream(this.part, { highWaterMark: 1 << 20, signal: this.signal })) {
        this.#hash.update(chunk as Buffer)
        this.#done += (chunk as Buffer).length
      }
    }).catch((thrown: unknown) => {
      throw this.signal.aborted ? abortedBy(this.signal) : thrown
    })
    this.onBytes?.(this.#done)
  }

  async #requireSpace(): Promise<void> {
    const { bavail, bsize } = await statfs(dirname(this.part)).catch(() => ({ bavail: Infinity, bsize: 1 }))
    const [needed, free] = [this.file.size - this.#done, bavail * bsize]
    if (needed <= free) return
    throw new FileError(
      `there is no space left for ${this.file.name}: ${megabytes(needed)} are needed, ${megabytes(free)} are free in ${dirname(this.part)} ` +
        '(HF_HOME or HF_HUB_CACHE name another place)',
      { path: this.part, needed, free },
    )
  }

  /** Requests the file until all bytes have arrived. */
  async #fetchAll(handle: FileHandle): Promise<void> {
    for (let failures = 0; this.#done < this.file.size;) {
      const before = this.#done
      try {
        await this.#fetchOnce(handle)
      } catch (thrown) {
        if (!(thrown instanceof TransientError)) throw thrown
        failures = this.#done > before ? 1 : failures + 1
        if (failures >= TRIES) {
          throw new DownloadError(
            `${this.file.name} stopped at ${megabytes(this.#done)} of ${megabytes(this.file.size)}: ${thrown.message}; pull again to resume from there`,
            { file: this.file.name, done: this.#done, size: this.file.size },
            { cause: thrown },
          )
        }
        const wait = Math.max(thrown.retryAfterSeconds ?? 0, FIRST_WAIT_SECONDS * 2 ** (failures - 1))
        await sleep(Math.min(wait, LONGEST_WAIT_SECONDS) * 1000, undefined, { signal: this.signal }).catch(() => {
          throw abortedBy(this.signal)
        })
      }
    }
  }

  async #fetchOnce(handle: FileHandle): Promise<void> {
    const { size, name } = this.file
    const headers: Record<string, string> = this.#done > 0 ? { range: `bytes=${this.#done}-` } : {}
    const { response, alive, close } = await get(this.endpoint, this.url, this.subject, {
      headers,
      signal: this.signal,
    })
    try {
      // A server without support for ranges sends the whole file.
      if (response.status !== 206 && this.#done > 0) await this.#restart(handle)
      const range = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')
      if (response.status === 206 && Number(range?.[1]) !== this.#done) {
        throw new DownloadError(`${name}: the server sent another range than it was asked for`, { file: name })
      }
      for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
        alive()
        if (this.#done + chunk.length > size) {
          await this.#restart(handle)
          throw new DownloadError(`${name}: the server sends more than the ${size} bytes it announced`, { file: name })
        }
        await writing(this.part, () => writeAll(handle, chunk))
        this.#hash.update(chunk)
        this.#done += chunk.length
        this.onBytes?.(this.#done)
      }
    } catch (thrown) {
      if (thrown instanceof FileError) throw thrown
      throw failure(thrown, this.signal)
    } finally {
      close()
      await response.body?.cancel().catch(() => undefined)
    }
    if (this.#done < size) throw new TransientError('the connection ended early')
  }

  async #restart(handle: FileHandle): Promise<void> {
    await writing(this.part, () => handle.truncate(0))
    this.#done = 0
    this.#hash = this.#newHash()
    this.onBytes?.(0)
  }

  async #truncate(): Promise<void> {
    const handle = await open(this.part, 'w')
    await handle.close()
  }

  #newHash(): Hash {
    const { checksum, size } = this.file
    return checksum.kind === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
