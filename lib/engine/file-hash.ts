import { stat } from 'node:fs/promises'
import { FileError } from '../errors.js'
import { fileError } from '../files.js'
import { audioThread } from '../worker/offload.js'

/** What tells whether a file has been replaced or changed. */
export interface FileStamp {
  readonly size: number
  readonly mtimeMs: number
}

export async function stampOf(path: string): Promise<FileStamp> {
  try {
    const { size, mtimeMs } = await stat(path)
    return { size, mtimeMs }
  } catch (cause) {
    throw fileError(path, 'read', cause)
  }
}

/**
 * The SHA-256 of a file, computed in the thread for files.
 *
 * @param stamp - what the file was when it was loaded
 * @throws {@link FileError} it has changed since then, or cannot be read
 */
export async function hashOfFile(path: string, stamp: FileStamp): Promise<string> {
  const unchanged = async (): Promise<void> => {
    const now = await stampOf(path)
    if (now.size !== stamp.size || now.mtimeMs !== stamp.mtimeMs)
      throw new FileError(`${path} has changed since the model was loaded from it: load it again`, { path })
  }
  await unchanged()
  const hash = await audioThread.run('hashFile', { path })
  await unchanged()
  return hash
}
