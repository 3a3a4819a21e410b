import { concat } from './concat.js'

/** Samples that wait to be taken, in order. */
export class SampleQueue {
  #blocks: Float32Array[] = []
  #length = 0

  /** The number of samples that wait. */
  get length(): number {
    return this.#length
  }

  push(samples: Float32Array): void {
    if (samples.length === 0) return
    this.#blocks.push(samples)
    this.#length += samples.length
  }

  /** Takes the next samples, at most `count` of them. */
  take(count: number): Float32Array {
    const parts: Float32Array[] = []
    let missing = Math.min(count, this.#length)
    this.#length -= missing
    while (missing > 0) {
      const block = this.#blocks.shift() ?? new Float32Array(0)
      const part = block.subarray(0, missing)
      if (part.length < block.length) this.#blocks.unshift(block.subarray(part.length))
      parts.push(part)
      missing -= part.length
    }
    return concat(parts)
  }

  /** Takes `count` samples, with silence in place of those that are missing. */
  takeOrSilence(count: number): Float32Array {
    const samples = new Float32Array(count)
    samples.set(this.take(count))
    return samples
  }

  /** Drops all samples but the first `count`. */
  keep(count: number): void {
    const kept = this.take(count)
    this.#blocks = []
    this.#length = 0
    this.push(kept)
  }
}
