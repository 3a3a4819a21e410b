import { createHash } from 'node:crypto'
import { untilAborted } from '../engine/streaming.js'
import { refusal } from './format.js'

/** Reads bytes that arrive in pieces of any size, and hashes them. */
export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array> | Iterator<Uint8Array>
  readonly #hash = createHash('sha256')
  #waiting: Uint8Array = new Uint8Array()
  #read = 0

  constructor(
    pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#pieces = Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]()
  }

  /** How many bytes were taken. */
  get read(): number {
    return this.#read
  }

  /** The SHA-256 of what was taken so far. */
  checksum(): Buffer {
    return this.#hash.copy().digest()
  }

  /** The next bytes, fewer if there are no more. */
  async upTo(count: number): Promise<Buffer> {
    const taken: Uint8Array[] = []
    for (let missing = count; missing > 0;) {
      if (this.#waiting.length === 0 && !(await this.#next())) break
      const piece = this.#waiting.subarray(0, missing)
      this.#waiting = this.#waiting.subarray(piece.length)
      missing -= piece.length
      taken.push(piece)
      this.#hash.update(piece)
    }
    const bytes = Buffer.concat(taken)
    this.#read += bytes.length
    return bytes
  }

  /** The next bytes. @throws {@link SessionFormatError} there are fewer */
  async take(count: number): Promise<Buffer> {
    const bytes = await this.upTo(count)
    if (bytes.length < count) throw refusal('cut', `the saved session is cut off after ${this.#read} bytes`)
    return bytes
  }

  /** Waits for the next piece that is not empty. Returns false if there is none. */
  async #next(): Promise<boolean> {
    while (this.#waiting.length === 0) {
      const step = await untilAborted(Promise.resolve(this.#pieces.next()), this.signal)
      if (step.done === true) return false
      this.#waiting = step.value
    }
    return true
  }

  /** Stops reading. It does not wait, because a stream may have stalled. */
  close(): void {
    Promise.resolve(this.#pieces.return?.()).catch(() => undefined)
  }
}
