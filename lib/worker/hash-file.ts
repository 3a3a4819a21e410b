import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { fileError } from '../files.js'

const PIECE = 1 << 20

/** The SHA-256 of a file, in hexadecimal digits. @throws {@link FileError} */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const piece of createReadStream(path, { highWaterMark: PIECE })) hash.update(piece as Buffer)
  } catch (cause) {
    throw fileError(path, 'read', cause)
  }
  return hash.digest('hex')
}
