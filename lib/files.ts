import { stat } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { FileError, InvalidArgumentError } from './errors.js'

/** The reason for an error in plain words, by the system's error code. */
const REASONS: Record<string, string> = {
  ENOSPC: 'there is no space left on the disk',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file system does not take files of this size',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is no folder',
  ENAMETOOLONG: 'the name is too long',
  EPIPE: 'its reader has gone',
  EIO: 'the device reports an error',
}

/** Converts a system error about a file to a {@link FileError}. `details` has the path and the system's error code. */
export function fileError(path: string, doing: 'read' | 'write', cause: unknown): FileError {
  if (cause instanceof FileError) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  const missing = doing === 'read' ? 'there is no such file or folder' : 'there is no such folder'
  const reason = code === 'ENOENT' ? missing : (REASONS[code ?? ''] ?? message)
  return new FileError(`cannot ${doing} ${path}: ${reason}`, { path, ...(code && { code }) }, { cause })
}

/** Runs work that writes to `path`. System errors become {@link FileError}s. */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw fileError(path, 'write', cause)
  }
}

/** The most bytes that a single write call accepts. */
const LARGEST_WRITE = 1 << 30

/** A `FileHandle`, or an object with the same `write`. */
export interface Writable {
  write(bytes: Uint8Array, offset: number, length: number, position: number | null): Promise<{ bytesWritten: number }>
}

/** Writes all bytes. A disk that is nearly full first writes a part of them, and reports the error only for the rest. */
export async function writeAll(file: Writable, bytes: Uint8Array, position: number | null = null): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const at = position === null ? null : position + done
    done += (await file.write(bytes, done, Math.min(bytes.length - done, LARGEST_WRITE), at)).bytesWritten
  }
}

/** Whether both paths lead to the same existing file, also through symbolic or hard links. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [x, y] = await Promise.all([a, b].map(path => stat(path, { bigint: true }).catch(() => undefined)))
  return x?.isFile() === true && y?.isFile() === true && x.dev === y.dev && x.ino === y.ino
}

/**
 * Refuses to overwrite the source of a model with the model, or to write a model to a name that does not end in
 * `.gguf`.
 *
 * @param source - a file or a folder
 * @throws {@link InvalidArgumentError}
 */
export async function checkModelOutput(source: string, out: string): Promise<void> {
  if (extname(out).toLowerCase() !== '.gguf') {
    throw new InvalidArgumentError(`out must be the name of a GGUF file, ending in .gguf, not ${out}`, {
      option: 'out',
    })
  }
  if (resolve(source) === resolve(out) || (await isSameFile(source, out))) {
    throw new InvalidArgumentError(`out is the source itself: ${out} and ${source} are the same file`, {
      option: 'out',
    })
  }
  const found = await stat(out).catch(() => undefined)
  if (found && !found.isFile())
    throw new FileError(`cannot write ${out}: it is not a file`, { path: out, code: 'EEXIST' })
}
