import { copyFileSync, closeSync, openSync, writeSync } from 'node:fs'
import { openGguf } from '../../dist/lib/convert/gguf.js'

/**
 * Copies a GGUF file with all tensors whose names begin with one of `prefixes` set to zero, which switches that network
 * off. Zero bytes are zeros in every type of weights.
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
