// Conversations that last: old turns make room for new ones, sessions are saved and loaded, and their history comes out
// as messages and goes into another session.

import { createHash } from 'node:crypto'
import { copyFile, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import {
  loadModel,
  type LiveEvent,
  type Message,
  type Model,
  type Reply,
  type Session,
  type SessionInput,
} from '../dist/lib/index.js'
import { mountDisk, NO_MOUNT } from './helpers/disk.js'
import { root, TINY } from './helpers/model.js'
import { sine } from './helpers/wav.js'

const golden = (name: string): string => join(root, 'test', 'golden', name)
const LM = golden('lm-qwen3.gguf')
const TALKING = { lm: LM, voice: golden('voice-stochastic.gguf') }
const folder = t.testdir()
const SHORT = { maxSeconds: 1, maxTokens: 8 }
/** Written replies of nano at the temperature 0 are what it has learned. */
const WRITTEN = { output: 'text', temperature: 0 } as const

async function withModel(
  source: Parameters<typeof loadModel>[0],
  work: (model: Model) => Promise<void>,
  contextLength?: number,
): Promise<void> {
  const model = await loadModel(source, { threads: 2, ...(contextLength && { contextLength }) })
  try {
    await work(model)
  } finally {
    await model.dispose()
  }
}

/** What a reply is made of. */
function contentOf({ text, units, audio, dropped }: Reply): object {
  return { text, units, audio: Buffer.from(audio.buffer).toString('base64'), dropped }
}

async function savedBytes(session: Session): Promise<Buffer> {
  const stream = new PassThrough({ highWaterMark: 1 << 24 })
  await session.save(stream)
  stream.end()
  return Buffer.concat(await stream.toArray())
}

// --- old turns make room

t.test('nano answers as ever while its conversation slides', async t => {
  await withModel(
    undefined,
    async model => {
      const session = model.createSession()
      let dropped = 0
      const lengths = new Set<number>()
      for (let turn = 0; turn < 100; turn++) {
        const reply = await session.generate({ text: turn % 2 ? 'seven' : 'count to ten' }, WRITTEN).result()
        t.equal(reply.finishReason, 'stop')
        if (turn % 2) t.equal(reply.text, 'You said seven.')
        dropped += reply.dropped ?? 0
        lengths.add(session.length)
        t.equal(session.history().length, 2 * (turn + 1 - dropped))
      }
      t.ok(dropped > 80, `${dropped} turns were dropped`)
      t.ok(Math.max(...lengths) <= model.info().nCtx)
      t.same(session.history().at(-2), { role: 'user', text: 'seven' })
      const long = session.generate({ text: 'seven '.repeat(500) }, WRITTEN)
      await t.rejects(long.result(), { code: 'MOSS_PROMPT_TOO_LONG', message: /longer than the model/ })
      t.ok(session.history().length > 4, 'what can never fit drops nothing')
      const spoken = await session.generate({ text: 'seven' }, { seed: 1, temperature: 0 }).result()
      t.equal(spoken.text, 'You said seven.')
      t.ok(spoken.seconds > 0.5)
    },
    256,
  )
})

t.test('a turn that is stopped is forgotten, and what it has dropped stays dropped', async t => {
  await withModel(TINY, async model => {
    const session = model.createSession({ seed: 1 })
    const text = 'seven '.repeat(10)
    let reply = await session.generate({ text }, SHORT).result()
    while (reply.dropped === undefined) reply = await session.generate({ text }, SHORT).result()
    const [before, messages] = [session.length, session.history()]
    const long = 'seven '.repeat(30)
    for await (const _ of session.generate({ text: long }, SHORT)) break
    t.ok(session.length < before)
    t.ok(session.history().length < messages.length)
    const next = await session.generate({ text: 'a' }, WRITTEN).result()
    t.equal(next.dropped, undefined, 'there is room already')
    session.reset()
    t.equal(session.length, 0)
    t.same(session.history(), [])
  })
})

t.test('a live session slides', async t => {
  await withModel(TINY, async model => {
    const session = model.createSession({ seed: 1 })
    const live = session.listen({ turnDetection: 'manual', vad: false, ...SHORT })
    const events = live[Symbol.asyncIterator]()
    let dropped = 0
    for (let turn = 0; turn < 8; turn++) {
      live.write(sine(2))
      live.commit()
      const end = await untilEvent(events, 'replyEnd')
      t.not(end.reply.finishReason, 'contextLength')
      dropped += end.reply.dropped ?? 0
    }
    t.ok(dropped > 2, `${dropped} turns were dropped`)
    live.write(sine(2))
    live.commit()
    const { audio } = await untilEvent(events, 'audio')
    live.played(audio.length / model.info().sampleRate)
    live.cancel()
    const { text } = await untilEvent(events, 'shortened')
    await live.close()
    const last = session.history().at(-1)
    if (text) t.equal(last?.text, text, 'the history holds what was played')
    t.ok(last?.units && last.units.length > 0)
    t.ok(session.length <= model.info().nCtx)
    t.equal((await session.generate({ text: 'a' }, SHORT).result()).finishReason !== 'contextLength', true)
  })
})

async function untilEvent<T extends LiveEvent['type']>(
  events: AsyncIterator<LiveEvent, void>,
  type: T,
): Promise<Extract<LiveEvent, { type: T }>> {
  for (let step = await events.next(); !step.done; step = await events.next())
    if (step.value.type === type) return step.value as Extract<LiveEvent, { type: T }>
  throw new Error(`the events ended without ${type}`)
}

t.test('the system prompt of an imported model stays', async t => {
  await withModel(
    LM,
    async model => {
      const session = model.createSession({ system: 'Be brief.', seed: 1 })
      let dropped = 0
      for (let turn = 0; turn < 20; turn++) {
        const reply = await session.generate({ text: `again ${turn}` }, SHORT).result()
        dropped += reply.dropped ?? 0
        t.ok(session.length <= 256)
      }
      t.ok(dropped > 5, `${dropped} turns were dropped`)
      const [system, first] = session.history()
      t.same(system, { role: 'system', text: 'Be brief.' })
      t.same(first, { role: 'user', text: `again ${dropped}` })
      const before = session.history()
      const long = session.generate({ text: 'x '.repeat(300) }, SHORT)
      await t.rejects(long.result(), { code: 'MOSS_PROMPT_TOO_LONG' })
      t.same(session.history(), before, 'what can never fit drops nothing')
    },
    256,
  )
})

t.test('a composed model slides', async t => {
  await withModel(
    TALKING,
    async model => {
      const session = model.createSession({ seed: 1 })
      let dropped = 0
      for (let turn = 0; turn < 12; turn++)
        dropped +=
          (await session.generate({ text: `again ${turn}` }, { ...SHORT, maxTokens: 20 }).result()).dropped ?? 0
      t.ok(dropped > 2, `${dropped} turns were dropped`)
      t.equal(session.history().length, 2 * (12 - dropped))
    },
    256,
  )
})

// --- saved sessions

t.test('a saved session goes on bit for bit', async t => {
  for (const source of [TINY, LM, TALKING])
    await withModel(source, async model => {
      const output = source === LM ? 'text' : 'both'
      const options = { ...SHORT, output, temperature: 1 } as const
      const session = model.createSession({ ...(source !== TINY && { system: 'Be brief.' }) })
      for (const text of ['one', 'two']) await session.generate({ text }, options).result()
      const path = join(folder, 'saved.moss')
      await session.save(path)
      const bytes = await readFile(path)
      t.same(await savedBytes(session), bytes, 'saving changes nothing')
      const copies = await Promise.all(
        [path, pathToFileURL(path), bytes, Readable.from(slices(bytes, 1000))].map(input => model.loadSession(input)),
      )
      const expected = []
      for (const text of ['three', 'four']) expected.push(contentOf(await session.generate({ text }, options).result()))
      for (const copy of copies) {
        const replies = []
        for (const text of ['three', 'four']) replies.push(contentOf(await copy.generate({ text }, options).result()))
        t.same(replies, expected)
        t.same(copy.history(), session.history())
        t.equal(copy.length, session.length)
      }
      if (source === TINY) await session.generate({ speech: sine(1) }, { vad: false, ...SHORT }).result()
      const heard = await model.loadSession(await savedBytes(session))
      t.same(heard.history(), session.history())
      session.reset()
      const empty = await model.loadSession(await savedBytes(session))
      t.equal(empty.length, 0)
      t.same(
        contentOf(await empty.generate({ text: 'x' }, options).result()),
        contentOf(await session.generate({ text: 'x' }, options).result()),
      )
    })
})

function* slices(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

t.test('a saved session fits other contexts, as long as it is not too long', async t => {
  let bytes: Uint8Array = new Uint8Array()
  let expected = {}
  await withModel(
    LM,
    async model => {
      const session = model.createSession({ seed: 1 })
      for (const text of ['one', 'two', 'three']) await session.generate({ text }, SHORT).result()
      bytes = await savedBytes(session)
      expected = contentOf(await session.generate({ text: 'four' }, SHORT).result())
    },
    512,
  )
  await withModel(
    LM,
    async model => {
      const session = await model.loadSession(bytes)
      t.same(contentOf(await session.generate({ text: 'four' }, SHORT).result()), expected)
    },
    2048,
  )
  const short = withModel(LM, async model => void (await model.loadSession(bytes)), 64)
  await t.rejects(short, { code: 'MOSS_PROMPT_TOO_LONG', message: /contextLength/ })
})

t.test('options are saved, and can be replaced', async t => {
  await withModel(
    LM,
    async model => {
      const saved = model.createSession({ system: 'Be brief.', thinking: true, contextOverflow: 'error' })
      await saved.generate({ text: 'again' }, SHORT).result()
      const bytes = await savedBytes(saved)
      const fill = async (session: Session): Promise<void> => {
        for (let turn = 0; turn < 12; turn++) await session.generate({ text: 'again' }, SHORT).result()
      }
      await t.rejects(fill(await model.loadSession(bytes)), { code: 'MOSS_PROMPT_TOO_LONG' })
      const sliding = await model.loadSession(bytes, { contextOverflow: 'slide' })
      await fill(sliding)
      t.equal(sliding.history()[0]?.text, 'Be brief.')
      await t.rejects(model.loadSession(bytes, { contextOverflow: 'never' as 'slide' }), {
        code: 'MOSS_INVALID_ARGUMENT',
        details: { option: 'contextOverflow' },
      })
      await t.rejects(model.loadSession(7 as unknown as string), {
        code: 'MOSS_INVALID_ARGUMENT',
        details: { option: 'input' },
      })
      await t.rejects(saved.save(7 as unknown as string), {
        code: 'MOSS_INVALID_ARGUMENT',
        details: { option: 'output' },
      })
      await t.rejects(saved.save('', {}), { code: 'MOSS_INVALID_ARGUMENT', details: { option: 'output' } })
    },
    128,
  )
})

t.test('what is no saved session of this model is refused', async t => {
  await withModel(TINY, async model => {
    const session = model.createSession({ seed: 1 })
    await session.generate({ text: 'one' }, WRITTEN).result()
    const good = await savedBytes(session)
    const refused = async (input: SessionInput, reason: string, message: RegExp): Promise<void> => {
      await t.rejects(model.loadSession(input), { code: 'MOSS_SESSION_FORMAT', details: { reason }, message })
    }
    await refused(await readFile(TINY), 'noSession', /not the bytes/)
    await refused(Buffer.from('MOSS'), 'cut', /after 4 bytes/)
    await refused(new Uint8Array(), 'cut', /after 0 bytes/)
    for (const length of [12, 16, 100, good.length - 33, good.length - 1]) {
      await refused(good.subarray(0, length), 'cut', /cut off/)
      await refused(Readable.from([good.subarray(0, length)]), 'cut', /cut off/)
    }
    await refused(Buffer.concat([good, Buffer.from('x')]), 'damaged', /after its end/)
    const newer = Buffer.from(good)
    newer.writeUInt32LE(2, 8)
    await refused(newer, 'newer', /newer version of this package/)
    const turned = Buffer.from(good)
    turned.writeUInt8(turned.readUInt8(good.length - 1000) ^ 1, good.length - 1000)
    await refused(turned, 'damaged', /checksum/)
    const path = join(folder, 'damaged.moss')
    await writeFile(path, turned)
    await refused(path, 'damaged', /checksum/)
    await withModel(LM, async other => {
      await t.rejects(other.loadSession(good), {
        code: 'MOSS_SESSION_FORMAT',
        details: { reason: 'foreign', parts: ['model'] },
      })
    })
    await t.rejects(model.loadSession(join(folder, 'none.moss')), { code: 'MOSS_FILE', details: { code: 'ENOENT' } })
    await t.rejects(model.loadSession(folder), { code: 'MOSS_FILE', details: { path: folder } })
  })
})

t.test('no single damaged byte goes unnoticed', async t => {
  await withModel(TINY, async model => {
    const session = model.createSession({ seed: 1, pronunciations: { MOSS: 'ˈmɔs' } })
    await session.generate({ text: 'one' }, WRITTEN).result()
    const good = await savedBytes(session)
    const headerEnd = 16 + good.readUInt32LE(12)
    const codes = new Map<string, number>()
    for (let at = 0; at < good.length; at += at < headerEnd ? 3 : 997) {
      const bad = Buffer.from(good)
      bad.writeUInt8(bad.readUInt8(at) ^ (1 << (at % 8)), at)
      const code = await model.loadSession(bad).then(
        () => `byte ${at} was taken`,
        (error: unknown) => (error as { code: string }).code,
      )
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    codes.delete('MOSS_SESSION_FORMAT')
    codes.delete('MOSS_PROMPT_TOO_LONG') // a digit of the length
    t.same([...codes], [])
  })
})

t.test('hostile headers are refused, though their checksum is right', async t => {
  await withModel(TINY, async model => {
    const session = model.createSession({ seed: 1 })
    await session.generate({ text: 'one' }, WRITTEN).result()
    const good = await savedBytes(session)
    const start = 16 + good.readUInt32LE(12)
    type Part = Record<string, unknown>
    interface Header { models: unknown; settings: unknown; parts: { model: Part } } // prettier-ignore
    const changed = (change: (header: Header) => unknown): Buffer => {
      const header = JSON.parse(good.subarray(16, start).toString()) as Header
      const json = Buffer.from(JSON.stringify(change(header) ?? header))
      const front = Buffer.from(good.subarray(0, 16))
      front.writeUInt32LE(json.length, 12)
      const whole = Buffer.concat([front, json, good.subarray(start, -32)])
      return Buffer.concat([whole, createHash('sha256').update(whole).digest()])
    }
    t.equal((await model.loadSession(changed(() => undefined))).length, session.length)
    const part = (fields: Part) => (header: Header) => void Object.assign(header.parts.model, fields)
    const cases: [string, (header: Header) => unknown][] = [
      ['MOSS_SESSION_FORMAT', part({ length: 2 ** 31 - 1 })],
      ['MOSS_SESSION_FORMAT', part({ length: 2 ** 40 })],
      ['MOSS_SESSION_FORMAT', part({ length: -1 })],
      ['MOSS_SESSION_FORMAT', part({ length: session.length + 1 })],
      ['MOSS_SESSION_FORMAT', part({ length: session.length - 1 })],
      ['MOSS_SESSION_FORMAT', part({ ids: session.length })],
      ['MOSS_SESSION_FORMAT', part({ turns: [5, 1] })],
      ['MOSS_SESSION_FORMAT', part({ turns: [2 ** 30] })],
      ['MOSS_SESSION_FORMAT', part({ turns: 'x' })],
      ['MOSS_SESSION_FORMAT', part({ random: 'x' })],
      ['MOSS_SESSION_FORMAT', part({ type: 'f64' })],
      ['MOSS_SESSION_FORMAT', part({ positionBytes: [1e9] })],
      ['MOSS_SESSION_FORMAT', part({ positionBytes: [] })],
      ['MOSS_SESSION_FORMAT', part({ history: [{ role: 'user', text: 'x' }] })],
      ['MOSS_SESSION_FORMAT', part({ history: 7 })],
      ['MOSS_SESSION_FORMAT', header => void Object.assign(header.parts, { voice: header.parts.model })],
      ['MOSS_SESSION_FORMAT', header => void Object.assign(header, { parts: {} })],
      ['MOSS_SESSION_FORMAT', header => void Object.assign(header, { parts: { __proto__: null } })],
      ['MOSS_SESSION_FORMAT', header => void Object.assign(header, { settings: { thinking: 3 } })],
      ['MOSS_SESSION_FORMAT', header => void Object.assign(header, { settings: { x: 3 } })],
      ['MOSS_SESSION_FORMAT', () => [7]],
      ['MOSS_SESSION_FORMAT', () => 'x'],
    ]
    for (const [code, change] of cases) await t.rejects(model.loadSession(changed(change)), { code }, String(change))
    const endless = changed(part({ length: 2 ** 31 - 1 }))
    await t.rejects(model.loadSession(Readable.from([endless])), { code: 'MOSS_PROMPT_TOO_LONG' })
    const long = Buffer.from(good)
    long.writeUInt32LE(0xffffffff, 12)
    await t.rejects(model.loadSession(long), { code: 'MOSS_SESSION_FORMAT', details: { reason: 'damaged' } })
  })
})

t.test('a session that cannot be written', async t => {
  await withModel(TINY, async model => {
    const session = model.createSession({ seed: 1 })
    await session.generate({ text: 'one' }, WRITTEN).result()
    const path = join(folder, 'kept.moss')
    await session.save(path)
    const before = await readFile(path)
    const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('the tape is torn')) })
    await t.rejects(session.save(broken), { code: 'MOSS_FILE', message: /torn/ })
    await t.rejects(session.save(path, { signal: AbortSignal.abort() }), { code: 'MOSS_ABORTED' })
    await t.rejects(session.save(join(folder, 'none', 'x.moss')), { code: 'MOSS_FILE', details: { code: 'ENOENT' } })
    t.same(await readFile(path), before, 'the older file is kept')
    t.same((await readdir(folder)).filter(name => name.endsWith('.part')), [], 'and nothing else is left') // prettier-ignore
    const stalled = new Readable({ read: () => undefined })
    const stop = new AbortController()
    const loading = model.loadSession(stalled, { signal: stop.signal })
    setTimeout(() => stop.abort(), 20)
    await t.rejects(loading, { code: 'MOSS_ABORTED' })
    const reply = session.generate({ text: 'x' }, WRITTEN)
    const result = reply.result()
    await t.rejects(session.save(path), { code: 'MOSS_SESSION_BUSY' })
    await result
    await session.dispose()
    await t.rejects(session.save(path), { code: 'MOSS_DISPOSED' })
  })
})

t.test('a full disk', async t => {
  const disk = mountDisk(t, 1 << 16)
  if (disk === undefined) {
    t.pass('', { skip: NO_MOUNT })
    return
  }
  await withModel(undefined, async model => {
    const session = model.createSession({ seed: 1 })
    await session.generate({ text: 'seven '.repeat(60) }, WRITTEN).result()
    const path = join(disk, 'large.moss')
    await t.rejects(session.save(path), { code: 'MOSS_FILE', details: { code: 'ENOSPC', path } })
    t.same(await readdir(disk), [])
  })
})

t.test('a model whose file has changed has no hash', async t => {
  const path = join(folder, 'changing.gguf')
  await copyFile(TINY, path)
  await withModel(path, async model => {
    const { atime, mtimeMs } = await stat(path)
    await utimes(path, atime, new Date(mtimeMs + 5000))
    await t.rejects(model.createSession().save(join(folder, 'x.moss')), { code: 'MOSS_FILE', message: /has changed/ })
    await utimes(path, atime, new Date(mtimeMs))
  })
  const model = await loadModel(TINY)
  await model.dispose()
  await t.rejects(model.loadSession(new Uint8Array()), { code: 'MOSS_DISPOSED' })
})

// --- history

t.test('messages of one session are the history of another', async t => {
  await withModel(LM, async model => {
    const session = model.createSession({ system: 'Be brief.', seed: 1 })
    for (const text of ['one', 'two']) await session.generate({ text }, SHORT).result()
    const history = session.history()
    t.match(history, [
      { role: 'system', text: 'Be brief.' },
      { role: 'user', text: 'one' },
      { role: 'assistant', text: String },
      { role: 'user', text: 'two' },
      { role: 'assistant', text: String },
    ])
    const other = model.createSession({ history })
    t.same(other.history(), history)
    const next = { ...SHORT, temperature: 0 }
    const reply = await session.generate({ text: 'three' }, next).result()
    t.equal((await other.generate({ text: 'three' }, next).result()).text, reply.text)
  })
})

t.test('nano reads turns that took place elsewhere', async t => {
  await withModel(undefined, async model => {
    const session = model.createSession({ seed: 1 })
    const spoken = await session.generate({ text: 'count to ten' }, { temperature: 0 }).result()
    await session.generate({ text: 'seven' }, WRITTEN).result()
    const history = session.history()
    t.same(history[1], { role: 'assistant', text: spoken.text, units: spoken.units })
    t.same(history[3]?.units, [], 'a written reply has no units')
    const other = model.createSession({ history })
    t.equal(other.length, 0, 'it is read when it is needed')
    const ask = { text: 'how are you' }
    const reply = await session.generate(ask, { temperature: 0, seed: 1 }).result()
    const again = await other.generate(ask, { temperature: 0, seed: 1 }).result()
    t.equal(again.text, reply.text)
    t.same(again.units, reply.units)
    t.equal(other.length, session.length)
    const told = [{ role: 'user', text: 'seven' }, { role: 'assistant', text: 'You said seven. Right?' }] as const // prettier-ignore
    const voiced = model.createSession({ history: told })
    const written = model.createSession({ history: [told[0], { ...told[1], units: [] }] })
    for (const session of [voiced, written]) await session.generate(ask, WRITTEN).result()
    t.ok(voiced.length > written.length + 20, 'a reply without units is taken to be spoken')
    const live = model.createSession({ history }).listen({ turnDetection: 'manual' })
    live.end()
    for await (const _ of live); // an empty live session reads nothing
    t.pass()
  })
})

t.test('a long history slides, or does not fit', async t => {
  await withModel(
    undefined,
    async model => {
      const history = Array.from({ length: 40 }, (_, i): Message[] => [
        { role: 'user', text: `turn ${i}` },
        { role: 'assistant', text: 'I see.' },
      ]).flat()
      const session = model.createSession({ history })
      const reply = await session.generate({ text: 'seven' }, WRITTEN).result()
      t.ok(Number(reply.dropped) > 20)
      t.equal(session.history().length, history.length + 2 - 2 * Number(reply.dropped))
      const strict = model.createSession({ history, contextOverflow: 'error' })
      await t.rejects(strict.generate({ text: 'seven' }, WRITTEN).result(), { code: 'MOSS_PROMPT_TOO_LONG' })
      t.equal(strict.length, 0)
      t.same(strict.history(), history, 'and nothing of it is lost')
      await t.rejects(strict.generate({ text: 'seven' }, WRITTEN).result(), { code: 'MOSS_PROMPT_TOO_LONG' })
      strict.reset()
      t.equal((await strict.generate({ text: 'seven' }, WRITTEN).result()).text, 'You said seven.')
    },
    256,
  )
})

t.test('impossible histories', async t => {
  await withModel(TINY, async model => {
    const [user, assistant] = [{ role: 'user', text: 'a' }, { role: 'assistant', text: 'b' }] // prettier-ignore
    const cases: [unknown, RegExp][] = [
      [7, /array/],
      [[assistant], /history\[0\] is of the assistant/],
      [[user], /history\[1\] is missing/],
      [[user, user], /history\[1\] is of the user/],
      [[user, assistant, user, { role: 'system', text: 'x' }], /history\[3\] is of the system/],
      [[{ role: 'tool', text: 'x' }, assistant], /history\[0\]\.role/],
      [[{ role: 'user' }, assistant], /history\[0\] has no text/],
      [[{ role: 'user', text: ' ' }, assistant], /history\[0\]\.text is empty/],
      [[{ role: 'user', text: 7 }, assistant], /history\[0\]\.text must be a string/],
      [[{ role: 'user', text: 'x'.repeat(100_001) }, assistant], /at most 100000/],
      [[{ role: 'user', units: ['a'] }, assistant], /transcript/],
      [[user, { role: 'assistant', units: ['nonsense'] }], /no unit "nonsense"/],
      [[user, { role: 'assistant', units: ['_'] }], /no unit "_"/],
      [[user, { role: 'assistant', units: 'ab' }], /history\[1\]\.units/],
      [[user, { role: 'assistant' }], /history\[1\] has no text/],
      [[user, { ...assistant, name: 'x' }], /no option name/],
    ]
    for (const [history, message] of cases)
      t.throws(
        () => model.createSession({ history: history as Message[] }),
        { code: 'MOSS_INVALID_ARGUMENT', message },
        String(message),
      )
    const system = [{ role: 'system', text: 'x' }] as const
    t.throws(() => model.createSession({ history: system }), { code: 'MOSS_UNSUPPORTED', message: /imported/ })
    await withModel(LM, lm => {
      t.throws(() => lm.createSession({ history: system, system: 'y' }), { code: 'MOSS_INVALID_ARGUMENT' })
      t.same(lm.createSession({ history: system }).history(), system)
      return Promise.resolve()
    })
    const odd = model.createSession({ history: [{ role: 'user', text: '<|im_end|>' }, assistant as Message] })
    await t.rejects(odd.generate({ text: 'x' }, WRITTEN).result(), {
      code: 'MOSS_INVALID_ARGUMENT',
      message: /control/,
    })
  })
  await withModel(golden('voice-stochastic.gguf'), model => {
    const history = [{ role: 'user', text: 'a' }, { role: 'assistant', text: 'b' }] as const // prettier-ignore
    t.throws(() => model.createSession({ history }), { code: 'MOSS_UNSUPPORTED', message: /language model/ })
    t.same(model.createSession().history(), [])
    return Promise.resolve()
  })
})
