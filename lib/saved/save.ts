import { createHash } from 'node:crypto'
import type { Writable } from 'node:stream'
import { openSink, sent } from '../audio/sink.js'
import type { Engine, SavedPart } from '../engine/engine.js'
import { abortedBy, FileError } from '../errors.js'
import { MAGIC, POSITIONS_AT_ONCE, VERSION, type Header, type PartHeader, type Settings } from './format.js'

/** Where a session is saved to: the path or `file:` URL of a file, or a stream, which is not ended. */
export type SessionOutput = string | URL | Writable

type Write = (bytes: Uint8Array) => Promise<void>

/** What is saved. */
export interface Saved {
  engine: Engine
  settings: Settings
  /** The SHA-256 of each part's file. */
  models: Record<string, string>
}

/** Writes a session. A file is written under another name and gets its own when it is complete. */
export async function saveSession(
  saved: Saved,
  output: string | Writable,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (typeof output !== 'string') {
    await saveToStream(saved, output, signal)
    return
  }
  const sink = await openSink(output, signal)
  try {
    await write(saved, bytes => sink.write(bytes), signal)
    await sink.commit()
  } catch (thrown) {
    await sink.discard()
    throw thrown
  }
}

async function saveToStream(saved: Saved, stream: Writable, signal: AbortSignal | undefined): Promise<void> {
  const ignore = (): void => undefined // the callback of write() reports the error
  stream.on('error', ignore)
  try {
    await write(saved, bytes => sent(done => stream.write(bytes, done)), signal)
  } catch (cause) {
    if (signal?.aborted || !(cause instanceof Error) || 'details' in cause) throw cause
    const { code } = cause as NodeJS.ErrnoException
    throw new FileError(
      `cannot write the session to the stream: ${cause.message}`,
      { ...(code && { code }) },
      { cause },
    )
  }
  stream.off('error', ignore) // after an error it stays, because the stream emits that later
}

async function write({ engine, settings, models }: Saved, out: Write, signal: AbortSignal | undefined): Promise<void> {
  const hash = createHash('sha256')
  const put: Write = async bytes => {
    if (signal?.aborted) throw abortedBy(signal)
    hash.update(bytes)
    await out(bytes)
  }
  const parts: { part: SavedPart; header: PartHeader; ids: Int32Array }[] = []
  const headers: Header['parts'] = {}
  for (const [name, part] of Object.entries(engine.parts)) {
    if (!part) continue
    const { header, ids } = await describe(part, signal)
    parts.push({ part, header, ids })
    headers[name] = header
  }
  const json = Buffer.from(JSON.stringify({ models, settings, parts: headers } satisfies Header))
  const start = Buffer.alloc(MAGIC.length + 8)
  start.set(MAGIC)
  start.writeUInt32LE(VERSION, MAGIC.length)
  start.writeUInt32LE(json.length, MAGIC.length + 4)
  await put(start)
  await put(json)
  for (const { part, header, ids } of parts) {
    await put(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength))
    for (const block of header.positionBytes.keys())
      for (let begin = 0; begin < header.length; begin += POSITIONS_AT_ONCE)
        await put(await part.readContext(block, begin, Math.min(POSITIONS_AT_ONCE, header.length - begin)))
  }
  await out(hash.digest())
}

async function describe(
  part: SavedPart,
  signal: AbortSignal | undefined,
): Promise<{ header: PartHeader; ids: Int32Array }> {
  const { length, turns, ids, random, type, positionBytes } = await part.snapshot(signal)
  const header = {
    length,
    turns: [...turns],
    ids: ids.length,
    random: Buffer.from(random).toString('hex'),
    type,
    positionBytes: [...positionBytes],
    history: part.turns.flatMap(({ user, assistant }) => [user, assistant]),
  }
  return { header, ids }
}
