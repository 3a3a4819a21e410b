import { createReadStream, readFileSync, statSync } from 'node:fs'
import { addAbortSignal, type Readable } from 'node:stream'
import { abortedBy } from '../lib/errors.js'
import { fileError } from '../lib/files.js'
import { AudioLengthError, InvalidArgumentError } from '../lib/index.js'
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

/**
 * Resolves an audio argument: returns the path of a file, or the bytes of a pipe (`-` is standard input), which can be
 * read only once and in order.
 */
export async function speechOf(argument: string, signal: AbortSignal): Promise<string | Uint8Array> {
  if (argument === '-') return readStdin(signal)
  return isPipe(argument) ? readAll(createReadStream(argument), argument, signal) : argument
}

function isPipe(path: string): boolean {
  try {
    return statSync(path).isFIFO()
  } catch {
    return false // reading it will report the error
  }
}

/** A text argument, or `-` for the text on standard input. */
export async function textOf(argument: string): Promise<string> {
  return argument === '-' ? decoded(await readStdin()) : argument
}

/** The text of a file; `-` is standard input. */
export async function textOfFile(path: string): Promise<string> {
  return path === '-' ? textOf(path) : decoded(await readAll(createReadStream(path), path, undefined))
}

/** Decodes UTF-8, or UTF-16 with a byte order mark, as Windows writes it. */
function decoded(bytes: Buffer): string {
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
  return new TextDecoder(isUtf16 ? `utf-16${bytes[0] === 0xff ? 'le' : 'be'}` : 'utf-8').decode(bytes)
}

/**
 * Reads a lexicon: a JSON object of words and their pronunciations. The library checks its entries.
 *
 * @throws {@link FileError}; {@link InvalidArgumentError} it is not JSON; names the file and, if the parser gives it,
 * the position
 */
export function lexiconOf(path: string): Readonly<Record<string, string>> {
  let json: string
  try {
    json = decoded(readFileSync(path))
  } catch (thrown) {
    throw fileError(path, 'read', thrown)
  }
  try {
    return JSON.parse(json) as Readonly<Record<string, string>>
  } catch (thrown) {
    const what = (thrown as Error).message.replace(/\s+/g, ' ')
    throw new InvalidArgumentError(`${path}${placeIn(json, what)}: ${what}`, { option: 'pronunciations', path })
  }
}

/** The position of a JSON error, if V8's message has one. */
function placeIn(json: string, message: string): string {
  const position = message.includes('end of JSON') ? json.trimEnd().length : / at position (\d+)/.exec(message)?.[1]
  if (position === undefined) return ''
  const before = json.slice(0, Number(position)).split('\n')
  return `, line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`
}

/** Standard input can be read only once. */
export function refuseTwoStdins(inputs: readonly string[]): void {
  if (inputs.filter(input => input === '-').length > 1) throw new UsageError('only one input can be - (standard input)')
}
