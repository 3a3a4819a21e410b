import { setImmediate as nextTick } from 'node:timers/promises'
import { InvalidArgumentError, OutOfMemoryError } from '../errors.js'
import { COPIED_AT_ONCE } from './limits.js'

/** Concatenates blocks in a new array. */
export function concat(blocks: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(blocks.reduce((sum, b) => sum + b.length, 0))
  let at = 0
  for (const block of blocks) {
    out.set(block, at)
    at += block.length
  }
  return out
}

/** {@link concat} for hundreds of megabytes: it does not block the event loop, and frees the blocks as it goes. */
export async function join(blocks: Float32Array[]): Promise<Float32Array> {
  let out: Float32Array
  try {
    out = new Float32Array(blocks.reduce((sum, b) => sum + b.length, 0))
  } catch (cause) {
    throw new OutOfMemoryError('there is not enough memory for the result', {}, { cause })
  }
  let at = 0
  let pause = COPIED_AT_ONCE
  for (let block = blocks.shift(); block; block = blocks.shift()) {
    out.set(block, at)
    at += block.length
    if (at < pause) continue
    pause = at + COPIED_AT_ONCE
    await nextTick()
  }
  return out
}

/**
 * Copies an array of any size to `out` of the same size, piece by piece, so that the event loop is not blocked.
 *
 * @throws {@link InvalidArgumentError} the caller transferred or resized the array meanwhile
 */
export async function copy<A extends Float32Array | Uint8Array>(array: Float32Array | Uint8Array, out: A): Promise<A> {
  for (let start = 0; start < out.length; start += COPIED_AT_ONCE) {
    if (start > 0) await nextTick()
    if (array.length !== out.length)
      throw new InvalidArgumentError('the speech was transferred or resized while it was read', { option: 'speech' })
    out.set(array.subarray(start, start + COPIED_AT_ONCE), start)
  }
  return out
}
