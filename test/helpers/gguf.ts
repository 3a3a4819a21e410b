import { copyFileSync, closeSync, openSync, writeSync } from 'node:fs'
import { openGguf } from '../../dist/lib/convert/gguf.js'

/**
 * Writes a GGUF file again with the weights of the tensors whose names begin with one of `prefixes` set to zero: a model without that network.
 * Zero bytes are zeros in every type of weights.
 */
export function withoutTensors(from: string, to: string, ...prefixes: string[]): void {
  const file = openGguf(from)
  copyFileSync(from, to)
  const out = openSync(to, 'r+')
  try {
    for (const prefix of prefixes) {
      const found = [...file.tensors.values()].filter(({ name }) => name.startsWith(prefix))
      if (found.length === 0) throw new Error(`${from} has no tensor ${prefix}…`)
      for (const { position, bytes } of found) writeSync(out, Buffer.alloc(bytes), 0, bytes, position)
    }
  } finally {
    closeSync(out)
    file.close()
  }
}
