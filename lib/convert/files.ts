import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { ModelFormatError } from '../errors.js'
import { fileError } from '../files.js'

/**
 * A Buffer over a plain ArrayBuffer. This way of writing the type also works in TypeScript before 5.7, where Buffer has
 * no type parameter.
 */
export type Bytes = ReturnType<typeof Buffer.alloc>

/** An open file with random access. Reading blocks: to be used in worker threads. */
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

  /** @throws {@link ModelFormatError} the file ends before; {@link FileError} */
  read(position: number, length: number): Bytes {
    if (length < 0 || position < 0 || length > this.size - position) throw this.cutOff()
    // Not from Node's buffer pool, because views with other element types must be aligned.
    return this.readInto(Buffer.from(new ArrayBuffer(length)), position)
  }

  /** Fills `bytes`; throws like {@link read}. */
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
