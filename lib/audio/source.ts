import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { FileError } from '../errors.js'
import { fileError } from '../files.js'

/** A source of encoded audio: the path of a file, or its bytes. */
export type AudioSource = { path: string } | { bytes: Uint8Array }

/** Random access to bytes, which are read when they are needed. */
export interface ByteReader {
  /** The length in bytes; infinite for a pipe or a device. */
  readonly length: number
  /** Up to `count` bytes from `position`: fewer at the end. */
  read(position: number, count: number): Uint8Array
  close(): void
}

class BufferReader implements ByteReader {
  readonly length: number
  constructor(private readonly bytes: Uint8Array) {
    this.length = bytes.byteLength
  }
  read(position: number, count: number): Uint8Array {
    return this.bytes.subarray(position, position + count)
  }
  close(): void {
    // There is nothing to close.
  }
}

class FileReader implements ByteReader {
  readonly length: number
  constructor(private readonly fd: number) {
    this.length = fstatSync(fd).size
  }
  read(position: number, count: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(count, this.length - position)))
    let got = 0
    while (got < bytes.length) {
      const n = readSync(this.fd, bytes, got, bytes.length - got, position + got)
      if (n === 0) break
      got += n
    }
    return bytes.subarray(0, got)
  }
  close(): void {
    closeSync(this.fd)
  }
}

/** Opens a source. Synchronous: to be called in the worker thread. Throws {@link FileError}. */
export function openSource(source: AudioSource): ByteReader {
  if ('bytes' in source) return new BufferReader(source.bytes)
  const { path } = source
  let fd: number | undefined
  try {
    fd = openSync(path, 'r')
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new FileError(`${path} is not a file`, { path })
    return new FileReader(fd)
  } catch (thrown) {
    if (fd !== undefined) closeSync(fd)
    throw fileError(path, 'read', thrown)
  }
}
