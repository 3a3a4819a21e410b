import { stat } from 'node:fs/promises'
import { createReadStream } from 'node:fs'
import type { Engine, SavedPart } from '../engine/engine.js'
import { InvalidArgumentError, PromptTooLongError, toMossError } from '../errors.js'
import { fileError } from '../files.js'
import type { HistoryRules } from '../messages.js'
import { ByteReader } from './byte-reader.js'
import {
  bodyBytes,
  CHECKSUM_BYTES,
  damaged,
  LONGEST_HEADER,
  MAGIC,
  parseHeader,
  POSITIONS_AT_ONCE,
  refusal,
  turnsOf,
  VERSION,
  type Header,
  type PartHeader,
} from './format.js'

/** Where a saved session is read from: the path or `file:` URL of a file, its bytes, or a stream of them. */
export type SessionInput = string | URL | Uint8Array | AsyncIterable<Uint8Array>

/** The model that a saved session is loaded into. */
export interface Target {
  /** The SHA-256 of each part's file. */
  models: Record<string, string>
  /** Positions of a context. */
  nCtx: number
  /** The units of the model's replies. */
  units: HistoryRules['units']
}

/** A saved session of which the header has been read and checked. */
export class SavedSession {
  private constructor(
    readonly header: Header,
    private readonly reader: ByteReader,
  ) {}

  /**
   * Calls `work` with the session that is read from `input`, and closes the input.
   *
   * @throws {@link SessionFormatError}, {@link FileError}, {@link AbortedError}
   */
  static async read<T>(
    input: string | Uint8Array | AsyncIterable<Uint8Array>,
    target: Target,
    signal: AbortSignal | undefined,
    work: (saved: SavedSession) => Promise<T>,
  ): Promise<T> {
    const { pieces, size } = await open(input)
    const reader = new ByteReader(pieces, signal)
    try {
      const header = await readHeader(reader, target)
      const end = reader.read + bodyBytes(header.parts) + CHECKSUM_BYTES
      if (size !== undefined && size < end)
        throw refusal('cut', `the saved session is cut off: it has ${size} of ${end} bytes`)
      return await work(new SavedSession(header, reader))
    } catch (thrown) {
      if (typeof input !== 'string') throw thrown
      const { code, syscall } = thrown as NodeJS.ErrnoException
      throw code !== undefined && syscall !== undefined ? fileError(input, 'read', thrown) : thrown
    } finally {
      reader.close()
    }
  }

  /** Makes this the conversation of an engine, which is to be disposed of if this fails. */
  async restore(engine: Engine, { nCtx, units }: Target): Promise<void> {
    const parts = Object.entries(this.header.parts)
    if (parts.length !== Object.keys(engine.parts).length) throw damaged('its parts')
    for (const [name, header] of parts) {
      const part = engine.parts[name]
      if (!part) throw damaged('its parts')
      if (header.length > nCtx)
        throw new PromptTooLongError(
          `the saved conversation takes ${header.length} positions, and the context of this model has ${nCtx}: load the model with a longer one (contextLength)`,
          { positions: header.length, context: nCtx },
        )
      await this.#restorePart(part, header, units)
    }
    const expected = this.reader.checksum()
    if (!(await this.reader.take(CHECKSUM_BYTES)).equals(expected)) throw damaged('its checksum is wrong')
    if ((await this.reader.upTo(1)).length > 0) throw damaged('there are more bytes after its end')
  }

  async #restorePart(part: SavedPart, header: PartHeader, units: HistoryRules['units']): Promise<void> {
    const own = await part.snapshot(undefined)
    if (header.type !== own.type || String(header.positionBytes) !== String([...own.positionBytes]))
      throw refusal('foreign', 'the keys and values of the saved session are stored in another way than this model’s')
    const turns = turnsOf(header, units)
    const ids = await this.reader.take(4 * header.ids)
    const snapshot = {
      length: header.length,
      turns: Int32Array.from(header.turns),
      ids: new Int32Array(new Uint8Array(ids).buffer),
      random: new Uint8Array(Buffer.from(header.random, 'hex')),
    }
    await part.restore(snapshot, turns).catch((thrown: unknown) => {
      const error = toMossError(thrown)
      throw error instanceof InvalidArgumentError ? damaged(error.message, error) : error
    })
    for (const [block, bytes] of header.positionBytes.entries())
      for (let begin = 0; begin < header.length; begin += POSITIONS_AT_ONCE) {
        const count = Math.min(POSITIONS_AT_ONCE, header.length - begin)
        await part.writeContext(block, begin, await this.reader.take(count * bytes))
      }
  }
}

/** The bytes of an input, and how many there are if that is known. */
async function open(
  input: string | Uint8Array | AsyncIterable<Uint8Array>,
): Promise<{ pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>; size?: number }> {
  if (input instanceof Uint8Array) return { pieces: [input], size: input.length }
  if (typeof input !== 'string') return { pieces: input }
  const found = await stat(input).catch((cause: unknown) => {
    throw fileError(input, 'read', cause)
  })
  const pieces = createReadStream(input, { highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>
  return { pieces, ...(found.isFile() && { size: found.size }) }
}

async function readHeader(reader: ByteReader, { models }: Target): Promise<Header> {
  const magic = await reader.upTo(MAGIC.length)
  if (!magic.equals(MAGIC.subarray(0, magic.length)))
    throw refusal('noSession', 'these are not the bytes of a saved session')
  if (magic.length < MAGIC.length) throw refusal('cut', `the saved session is cut off after ${magic.length} bytes`)
  const numbers = await reader.take(8)
  const [version, length] = [numbers.readUInt32LE(0), numbers.readUInt32LE(4)]
  if (version > VERSION)
    throw refusal('newer', `the session was saved in format ${version}, by a newer version of this package: this one reads format ${VERSION}`, { version }) // prettier-ignore
  if (version < VERSION || length > LONGEST_HEADER) throw damaged('its header')
  const header = parseHeader(await reader.take(length))
  checkModels(header.models, models)
  return header
}

function checkModels(saved: Header['models'], own: Target['models']): void {
  const names = new Set([...Object.keys(saved), ...Object.keys(own)])
  const foreign = [...names].filter(name => saved[name] !== own[name])
  if (foreign.length > 0)
    throw refusal('foreign', `the session belongs to another model: ${foreign.join(', ')} ${foreign.length > 1 ? 'differ' : 'differs'} (compared by the SHA-256 of the files)`, { parts: foreign }) // prettier-ignore
}
