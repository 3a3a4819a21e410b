import { setImmediate as nextTick } from 'node:timers/promises'
import { OutOfMemoryError } from '../errors.js'

/** Blocks, one after the other, in a new array. */
export function concat(blocks: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(blocks.reduce((sum, b) => sum + b.length, 0))
  let at = 0
  for (const block of blocks) {
    out.set(block, at)
    at += block.length
  }
  return out
}

/** Samples that are copied at once: a millisecond or so. */
const AT_ONCE = 1 << 20

/** {@link concat} for hundreds of megabytes: it lets the event loop go on, and lets go of the blocks. */
export async function join(blocks: Float32Array[]): Promise<Float32Array> {
  let out: Float32Array
  try {
    out = new Float32Array(blocks.reduce((sum, b) => sum + b.length, 0))
  } catch (cause) {
    throw new OutOfMemoryError('there is not enough memory for the result', {}, { cause })
  }
  let at = 0
  let pause = AT_ONCE
  for (let block = blocks.shift(); block; block = blocks.shift()) {
    out.set(block, at)
    at += block.length
    if (at < pause) continue
    pause = at + AT_ONCE
    await nextTick()
  }
  return out
}
