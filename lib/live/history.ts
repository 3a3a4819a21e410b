import { concat } from '../audio/concat.js'

/** The last samples of a stream. Positions are counted from the start of the stream. */
export class History {
  #blocks: Float32Array[] = []
  #start = 0
  #end = 0

  /** The number of samples that were pushed so far. */
  get end(): number {
    return this.#end
  }

  push(samples: Float32Array): void {
    if (samples.length === 0) return
    this.#blocks.push(samples)
    this.#end += samples.length
  }

  /** A copy of the samples from `from` to `to`, as far as they are there. */
  slice(from: number, to: number): Float32Array {
    const parts: Float32Array[] = []
    let at = this.#start
    for (const block of this.#blocks) {
      const part = block.subarray(Math.max(0, from - at), Math.max(0, Math.min(block.length, to - at)))
      if (part.length > 0) parts.push(part)
      at += block.length
    }
    return concat(parts)
  }

  /** Forgets the blocks before `position`. */
  forgetBefore(position: number): void {
    for (let first = this.#blocks[0]; first && this.#start + first.length <= position; first = this.#blocks[0]) {
      this.#start += first.length
      this.#blocks.shift()
    }
  }
}
