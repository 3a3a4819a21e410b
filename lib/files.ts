import { stat } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { FileError, InvalidArgumentError } from './errors.js'

/** What went wrong, in plain words, by the system's code. */
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

/** The system's error about a file as ours. `details` has the path and the system's code. */
export function fileError(path: string, doing: 'read' | 'write', cause: unknown): FileError {
  if (cause instanceof FileError) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  const missing = doing === 'read' ? 'there is no such file or folder' : 'there is no such folder'
  const reason = code === 'ENOENT' ? missing : (REASONS[code ?? ''] ?? message)
  return new FileError(`cannot ${doing} ${path}: ${reason}`, { path, ...(code && { code }) }, { cause })
}

/** Work that writes to `path`: what the system says about it becomes a {@link FileError}. */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw fileError(path, 'write', cause)
  }
}

/** What a single call takes at most. */
const LARGEST_WRITE = 1 << 30

/** A `FileHandle`, or what writes as one does. */
export interface Writable {
  write(bytes: Uint8Array, offset: number, length: number, position: number | null): Promise<{ bytesWritten: number }>
}

/** Writes all of it: a disk that is nearly full takes a part first and reports the error only with the rest. */
export async function writeAll(file: Writable, bytes: Uint8Array, position: number | null = null): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const at = position === null ? null : position + done
    done += (await file.write(bytes, done, Math.min(bytes.length - done, LARGEST_WRITE), at)).bytesWritten
  }
}

/** Whether both are the same file, however their paths are spelled: through links of any kind, too. Only a file that exists is one. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [x, y] = await Promise.all([a, b].map(path => stat(path, { bigint: true }).catch(() => undefined)))
  return x?.isFile() === true && y?.isFile() === true && x.dev === y.dev && x.ino === y.ino
}

/**
 * Refuses to write a model over what it is made of, or under a name that says that it is something else.
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
  if (found && !found.isFile()) throw new FileError(`cannot write ${out}: it is no file`, { path: out, code: 'EEXIST' })
}
