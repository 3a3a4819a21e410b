import { ConverterType, create } from '@alexanderolsen/libsamplerate-js'
import { concat } from './concat.js'

/** Feeds blocks of mono samples through libsamplerate's band-limited sinc interpolation (medium quality, 121 dB). */
export interface Resampler {
  /** Takes the next block and returns the samples that are ready, possibly none. */
  push(block: Float32Array): Float32Array
  /** Returns the rest, so that there are `round(n · to / from)` samples altogether. */
  finish(): Float32Array
}

const FLUSH = new Float32Array(4096)

/** Makes a resampler; at equal rates blocks pass unchanged. */
export async function createResampler(from: number, to: number): Promise<Resampler> {
  if (from === to) return { push: block => block, finish: () => new Float32Array(0) }
  const converterType = ConverterType.SRC_SINC_MEDIUM_QUALITY
  const src = await create(1, from, to, { converterType })
  let taken = 0
  let given = 0
  const push = (block: Float32Array): Float32Array => {
    taken += block.length
    const parts: Float32Array[] = []
    for (let i = 0; i < block.length; i += 1 << 15) parts.push(src.full(block.subarray(i, i + (1 << 15))).slice())
    const out = concat(parts)
    given += out.length
    return out
  }
  return {
    push,
    finish() {
      // The output of the filter is delayed by its length. Silence is pushed to get the rest.
      const wanted = Math.round((taken * to) / from)
      const parts: Float32Array[] = []
      while (given < wanted) {
        const part = src.full(FLUSH).slice(0, wanted - given)
        given += part.length
        parts.push(part)
      }
      src.destroy()
      return concat(parts)
    },
  }
}

/**
 * Resamples a whole signal. Synchronous, and takes about 1 % of the signal's duration: to be called in the worker
 * thread.
 */
export async function resample(samples: Float32Array, from: number, to: number): Promise<Float32Array> {
  const resampler = await createResampler(from, to)
  return concat([resampler.push(samples), resampler.finish()])
}
