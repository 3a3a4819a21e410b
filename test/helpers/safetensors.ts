import { readFile, writeFile } from 'node:fs/promises'

/**
 * Copies a safetensors file with other names for its tensors. A tensor whose new name is '' stays in the file as
 * `unused`.
 */
export async function renameTensors(from: string, to: string, rename: (name: string) => string): Promise<void> {
  const bytes = await readFile(from)
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, unknown>
  const renamed = Object.entries(header).map(([name, value], i) => [rename(name) || `unused.${i}`, value])
  const text = Buffer.from(JSON.stringify(Object.fromEntries(renamed)))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(text.length))
  await writeFile(to, Buffer.concat([size, text, bytes.subarray(8 + length)]))
}
