import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { ModelFormatError } from '../errors.js'
import { fileError } from '../files.js'

/** A buffer with memory of its own, in a type that TypeScript before 5.7 can read, too: it knows no parameter of buffers. */
export type Bytes = ReturnType<typeof Buffer.alloc>

/** An open file that is read by position. Reading blocks: for worker threads. */
export class RandomAccessFile {
  readonly size: number
  readonly #descriptor: number

  /** @throws {@link FileError} */
  constructor(readonly path: string) {
    let descriptor: number | undefined
    try {
      descriptor = openSync(path, 'r')
      const found = fstatSync(descriptor)
      if (!found.isFile()) throw Object.assign(new Error('it is not a file'), { code: 'EISDIR' })
      this.size = found.size
    } catch (cause) {
      if (descriptor !== undefined) closeSync(descriptor)
      throw fileError(path, 'read', cause)
    }
    this.#descriptor = descriptor
  }

  /** @throws {@link ModelFormatError} when the file ends before; {@link FileError} */
  read(position: number, length: number): Bytes {
    if (length < 0 || position < 0 || length > this.size - position) throw this.cutOff()
    // Not of the pool: views of other element types must be aligned.
    return this.readInto(Buffer.from(new ArrayBuffer(length)), position)
  }

  /** Fills `bytes`; throws as {@link read}. */
  readInto<B extends Buffer>(bytes: B, position: number): B {
    const { length } = bytes
    for (let done = 0; done < length;) {
      let count: number
      try {
        count = readSync(this.#descriptor, bytes, done, Math.min(length - done, 1 << 30), position + done)
      } catch (cause) {
        throw fileError(this.path, 'read', cause)
      }
      if (count === 0) throw this.cutOff()
      done += count
    }
    return bytes
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  cutOff(): ModelFormatError {
    return new ModelFormatError(`${this.path}: truncated: a field ends after the file (${this.size} bytes)`, {
      path: this.path,
      size: this.size,
    })
  }
}
