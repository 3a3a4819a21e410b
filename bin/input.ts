import { createReadStream, statSync } from 'node:fs'
import { addAbortSignal, type Readable } from 'node:stream'
import { abortedBy } from '../lib/errors.js'
import { fileError } from '../lib/files.js'
import { AudioLengthError } from '../lib/index.js'
import { UsageError } from './failure.js'

const LARGEST_INPUT = 512 * 1024 * 1024

async function readAll(stream: Readable, name: string, signal: AbortSignal | undefined): Promise<Buffer> {
  if (signal) addAbortSignal(signal, stream)
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > LARGEST_INPUT) {
        const mebibytes = LARGEST_INPUT / 1024 / 1024
        throw new AudioLengthError(`${name} holds more than ${mebibytes} MiB`, { limit: LARGEST_INPUT })
      }
      chunks.push(chunk)
    }
  } catch (thrown) {
    if (signal?.aborted) throw abortedBy(signal)
    throw thrown instanceof AudioLengthError ? thrown : fileError(name, 'read', thrown)
  }
  return Buffer.concat(chunks)
}

function readStdin(signal?: AbortSignal): Promise<Buffer> {
  if (process.stdin.isTTY) throw new UsageError('- reads standard input, but that is the terminal; pipe a file into it')
  return readAll(process.stdin, 'standard input', signal)
}

/** An audio argument: a path, or the bytes of a pipe (`-` is standard input), which can be read only once and in order. */
export async function speechOf(argument: string, signal: AbortSignal): Promise<string | Uint8Array> {
  if (argument === '-') return readStdin(signal)
  return isPipe(argument) ? readAll(createReadStream(argument), argument, signal) : argument
}

function isPipe(path: string): boolean {
  try {
    return statSync(path).isFIFO()
  } catch {
    return false // whoever reads it says why it cannot be read
  }
}

/** A text argument, or `-` for the text on standard input. */
export async function textOf(argument: string): Promise<string> {
  return argument === '-' ? (await readStdin()).toString('utf8') : argument
}

/** Standard input can be read once. */
export function refuseTwoStdins(inputs: readonly string[]): void {
  if (inputs.filter(input => input === '-').length > 1) throw new UsageError('only one input can be - (standard input)')
}
