import { AudioLengthError } from '../lib/index.js'
import { UsageError } from './failure.js'

const LARGEST_INPUT = 512 * 1024 * 1024

async function readStdin(): Promise<Buffer> {
  if (process.stdin.isTTY) throw new UsageError('- reads standard input, but that is the terminal; pipe a file into it')
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > LARGEST_INPUT)
      throw new AudioLengthError(`standard input holds more than ${LARGEST_INPUT / 1024 / 1024} MiB`, {
        limit: LARGEST_INPUT,
      })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** An audio argument: a path, or `-` for the bytes on standard input. */
export async function speechOf(argument: string): Promise<string | Uint8Array> {
  return argument === '-' ? readStdin() : argument
}

/** A text argument, or `-` for the text on standard input. */
export async function textOf(argument: string): Promise<string> {
  return argument === '-' ? (await readStdin()).toString('utf8') : argument
}

/** Standard input can be read once. */
export function refuseTwoStdins(inputs: readonly string[]): void {
  if (inputs.filter(input => input === '-').length > 1) throw new UsageError('only one input can be - (standard input)')
}
