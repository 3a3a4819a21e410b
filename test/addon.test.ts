import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { loadAddon, type NativeChunk, type NativeModel, type NativeRequest, type NativeStream } from '../lib/binding.js'

// The raw addon with a tiny bundle of random weights.

const root = resolve(__dirname, '..')
const tiny = join(root, 'test', 'golden', 'tiny.gguf')
const addon = loadAddon()

function hum(seconds: number): Float32Array {
  return Float32Array.from(
    { length: seconds * 16000 },
    (_, i) => 0.2 * Math.sin(i / 20) + 0.1 * Math.sin(i / 9 + Math.sin(i / 4000)),
  )
}

const request = (more: Partial<NativeRequest> = {}): NativeRequest => ({
  samples: hum(1),
  output: 'both',
  seed: 5,
  maxSeconds: 1,
  maxTokens: 8,
  ...more,
})

async function readAll(stream: NativeStream): Promise<NativeChunk[]> {
  const chunks: NativeChunk[] = []
  do chunks.push(await stream.next())
  while (!chunks.at(-1)!.done)
  return chunks
}

/** All data of a reply as one string, to compare replies. */
const text = (chunks: NativeChunk[]): string =>
  JSON.stringify([
    chunks.flatMap(c => [...(c.audio ?? [])]),
    chunks.flatMap(c => [...(c.units ?? [])]),
    chunks.flatMap(c => [...(c.textIds ?? [])]),
  ])

const load = (): Promise<NativeModel> => addon.loadModel(tiny, { threads: 1 })

t.test('a model says what it is', async t => {
  const model = await load()
  const info = model.info()
  t.match(info, {
    name: 'tiny',
    license: 'MIT',
    voices: [
      { name: 'anna', language: 'en' },
      { name: 'mei', language: 'zh' },
    ],
    defaultVoices: { en: 0, zh: 1 },
    inputSampleRate: 16000,
    sampleRate: 16000,
    specialTokens: { imStart: 256, imEnd: 257, sosp: 258, modalityPad: 259, pad: 260 },
    nCtx: 512,
    sampling: { topK: 20 },
    threads: 1,
  })
  t.equal(info.units[0], '_')
  t.equal(info.emotions[0], 'neutral')
  t.doesNotThrow(() => JSON.parse(info.tokenizer) as unknown)
  t.strictSame(
    info.components.map(c => c.name),
    ['frontend', 'tone', 'encoder', 'aligner', 'lm', 'decoder'],
  )
  t.ok(info.components.every(c => c.bytes > 0 && c.parameters > 0 && c.types.length > 0))
  model.dispose()
  model.dispose()
  t.throws(() => model.info(), { code: 'MOSS_DISPOSED' })
  t.throws(() => model.createSession(), { code: 'MOSS_DISPOSED' })
})

t.test('a spoken turn', async t => {
  const model = await load()
  const session = model.createSession({ seed: 1 })
  const stream = session.generate(request())
  const chunks = await readAll(stream)
  t.ok(chunks[0]!.heard)
  t.equal(chunks[0]!.heard!.units.length, chunks[0]!.heard!.starts.length)
  t.ok(chunks.some(c => c.audio && c.audio.length > 0))
  t.ok(chunks.every(c => c.done === (c.timings !== undefined)))
  t.strictSame(await stream.next(), { done: true }, 'after the end')
  t.ok(session.length > 20)

  const [heard, written] = [await session.encode(hum(1)), await session.transcribe(hum(1), { seed: 1, maxTokens: 4 })]
  t.strictSame([...written.units], [...heard.units])
  const [segment] = written.segments
  t.equal(written.segments.length, 1)
  t.ok(segment && segment.textIds instanceof Int32Array && segment.textIds.length <= 4)

  const spoken = await readAll(session.speakUnits(Int32Array.of(30, 6, 20, 40), { seed: 1, speed: 1.5 }))
  t.ok(spoken.some(c => c.audio))
  t.strictSame(
    spoken.flatMap(c => [...(c.units ?? [])]),
    [30, 6, 20, 40],
  )
  const hidden = await readAll(session.features(hum(1)))
  const { featureSize, frameSeconds } = model.info()
  t.equal(frameSeconds, 0.02)
  const frames = hidden.reduce((sum, c) => sum + (c.features?.length ?? 0), 0) / featureSize
  t.ok(Number.isInteger(frames) && frames >= 50, `${frames} frames of a second`)

  const { length } = session
  await readAll(session.generate(request()))
  t.ok(session.length > length)
  await session.undo()
  t.equal(session.length, length, 'the last turn is taken back')
  session.reset()
  t.equal(session.length, 0)
  session.dispose()
})

t.test('many requests for chunks at once are answered in order', async t => {
  const model = await load()
  const expected = await readAll(model.createSession().generate(request()))
  const stream = model.createSession().generate(request())
  const chunks = await Promise.all(expected.map(() => stream.next()))
  t.equal(text(chunks), text(expected))
})

t.test('sessions run side by side and do not disturb each other', async t => {
  const model = await load()
  const alone = text(await readAll(model.createSession().generate(request())))
  const together = await Promise.all(
    Array.from({ length: 4 }, () => readAll(model.createSession().generate(request()))),
  )
  for (const chunks of together) t.equal(text(chunks), alone)
})

t.test('errors have codes and details', async t => {
  await t.rejects(addon.loadModel(join(root, 'none.gguf')), { code: 'MOSS_MODEL_NOT_FOUND' })
  await t.rejects(addon.loadModel(join(root, 'package.json')), { code: 'MOSS_MODEL_FORMAT' })
  const truncated = join(t.testdir(), 'truncated.gguf')
  writeFileSync(truncated, readFileSync(tiny).subarray(0, 200_000))
  await t.rejects(addon.loadModel(truncated), { code: 'MOSS_MODEL_FORMAT' })
  t.throws(() => void addon.loadModel(5 as never), { code: 'MOSS_INVALID_ARGUMENT', details: { option: 'path' } })
  t.throws(() => void addon.loadModel(tiny, { threads: 0 }), {
    code: 'MOSS_INVALID_ARGUMENT',
    details: { option: 'threads' },
  })

  const session = (await load()).createSession()
  for (const wrong of [
    { samples: [1, 2] as never },
    { samples: new Float64Array(5) as never },
    { output: 'song' as never },
    { temperature: NaN },
    { temperature: '1' as never },
    { topK: 1.5 },
    { topP: 0 },
    { repetitionPenalty: 0.5 },
    { seed: -1 },
    { seed: 0.5 },
    { maxSeconds: 0 },
    { maxTokens: 1e12 },
    { voice: -2 },
    { speed: 3 },
    { emotion: 0.5 },
  ]) {
    t.throws(() => session.generate(request(wrong)), { code: 'MOSS_INVALID_ARGUMENT' }, JSON.stringify(wrong))
  }
  t.throws(() => session.generate(5 as never), { code: 'MOSS_INVALID_ARGUMENT' })
  for (const [wrong, code] of [
    [{ samples: new Float32Array(0) }, 'MOSS_AUDIO_LENGTH'],
    [{ samples: Float32Array.of(0, NaN) }, 'MOSS_INVALID_ARGUMENT'],
    [{ samples: new Float32Array(16000 * 600) }, 'MOSS_AUDIO_LENGTH'],
    [{ textIds: Int32Array.of(1) }, 'MOSS_INVALID_ARGUMENT'],
    [{ samples: undefined, textIds: Int32Array.of(-5) }, 'MOSS_INVALID_ARGUMENT'],
    [{ samples: undefined, textIds: new Int32Array(5000) }, 'MOSS_PROMPT_TOO_LONG'],
    [{ voice: 7 }, 'MOSS_INVALID_ARGUMENT'],
  ] as const) {
    const stream = session.generate(request(wrong))
    await t.rejects(stream.next(), { code })
    await t.rejects(stream.next(), { code }, 'and again')
  }
  await t.rejects(session.encode(new Float32Array(16000 * 601)), {
    code: 'MOSS_AUDIO_LENGTH',
    details: { seconds: 601, limit: 600 },
  })
  t.equal(session.length, 0)
  t.throws(() => new (session.constructor as new () => { encode(s: Float32Array): unknown })().encode(hum(1)), {
    code: 'MOSS_DISPOSED',
  })
})

t.test('a session does one thing at a time', async t => {
  const session = (await load()).createSession()
  const stream = session.generate(request())
  t.throws(() => session.generate(request()), { code: 'MOSS_SESSION_BUSY' })
  t.throws(() => session.reset(), { code: 'MOSS_SESSION_BUSY' })
  await readAll(stream)
  const encoding = session.encode(hum(1))
  t.throws(() => void session.encode(hum(1)), { code: 'MOSS_SESSION_BUSY' })
  await encoding
  const stopped = session.encode(hum(60))
  session.cancel()
  const next = session.encode(hum(1))
  await t.rejects(stopped, { code: 'MOSS_ABORTED' })
  t.strictSame((await next).units, (await session.encode(hum(1))).units)
  session.cancel() // nothing to stop
})

t.test('undo takes back the last turn that was finished', async t => {
  const session = (await load()).createSession({ seed: 1 })
  const lengths: number[] = []
  for (let turn = 0; turn < 3; turn++) {
    await readAll(session.generate(request({ output: 'text', maxTokens: 2 })))
    lengths.push(session.length)
  }
  await t.rejects(session.generate(request({ voice: 99 })).next(), { code: 'MOSS_INVALID_ARGUMENT' })
  const stopped = session.generate(request({ samples: hum(5), maxSeconds: 30 }))
  stopped.cancel()
  const left = session.generate(request({ output: 'text', maxTokens: 1 }))
  await left.next()
  await sleep(100) // it is finished, but its end has not been read
  left.cancel()
  t.equal(session.length, lengths[2])
  await session.undo()
  t.equal(session.length, lengths[1], 'what failed or was stopped was no turn')
  await session.undo()
  t.equal(session.length, lengths[0], 'then the one before')
  await session.undo()
  await session.undo()
  t.equal(session.length, 0)
})

t.test('a snapshot and its keys and values make the same conversation elsewhere', async t => {
  const model = await load()
  const [session, other] = [model.createSession({ seed: 1 }), model.createSession({ seed: 2 })]
  await session.recall({ textIds: Int32Array.of(7, 8), replyIds: Int32Array.of(9), units: Int32Array.of(3, 4) })
  const { type, positionBytes, ...snapshot } = await session.snapshot()
  t.equal(type, 'f16')
  t.equal(snapshot.length, session.length)
  t.strictSame(snapshot.turns, Int32Array.of(0))
  await other.restore(snapshot)
  for (const [block, bytes] of positionBytes.entries()) {
    const piece = await session.readContext(block, 0, snapshot.length)
    t.equal(piece.length, bytes * snapshot.length)
    await other.writeContext(block, 0, piece)
  }
  t.equal(other.length, session.length)
  const next = request({ samples: undefined, textIds: Int32Array.of(5), output: 'text', maxTokens: 3 })
  t.equal(text(await readAll(other.generate(next))), text(await readAll(session.generate(next))))
  const wrong = { code: 'MOSS_INVALID_ARGUMENT' }
  await t.rejects(other.readContext(99, 0, 1), wrong)
  await t.rejects(other.readContext(0, 0, 1e6), wrong)
  await t.rejects(other.writeContext(0, 0, new Uint8Array(3)), wrong)
  await t.rejects(other.restore({ ...snapshot, turns: Int32Array.of(-1) }), wrong)
  t.throws(() => other.restore({ ...snapshot, random: new Uint8Array(3) }), wrong)
  await t.rejects(other.restore({ ...snapshot, length: 1e6 }), { code: 'MOSS_PROMPT_TOO_LONG' })
  await t.rejects(other.recall({ textIds: Int32Array.of(1e6), replyIds: Int32Array.of(9) }), wrong)
})

t.test('a cancelled stream leaves the conversation as it was', async t => {
  const model = await load()
  const [session, other] = [model.createSession(), model.createSession()]
  for (const s of [session, other])
    await readAll(s.generate(request({ samples: undefined, textIds: Int32Array.of(7, 8) })))
  const { length } = session

  const early = session.generate(request())
  const waiting = early.next()
  early.cancel()
  early.cancel()
  await t.rejects(waiting, { code: 'MOSS_ABORTED' })
  await t.rejects(early.next(), { code: 'MOSS_ABORTED' })

  const late = session.generate(request({ output: 'text', maxTokens: 2 }))
  await late.next()
  await sleep(200) // it has been computed, but its end has not been read
  late.cancel()
  t.equal(session.length, length, 'at once')

  const stream = session.generate(request())
  t.equal(text(await readAll(stream)), text(await readAll(other.generate(request()))), 'the next turn starts at once')
  stream.cancel() // after the end: too late
  t.equal(session.length, other.length)
  t.ok(session.length > length)
})

t.test('a slow reader gets the same', async t => {
  const model = await load()
  const long = request({ samples: undefined, textIds: Int32Array.of(1, 2), output: 'text', maxTokens: 100 })
  const expected = await readAll(model.createSession().generate(long))
  const stream = model.createSession().generate(long)
  await sleep(200) // longer than the computation, which waits after 16 chunks
  t.equal(text(await readAll(stream)), text(expected))
})

t.test('dispose while it runs', async t => {
  const model = await load()
  const session = model.createSession()
  model.dispose() // the session keeps the weights
  const stream = session.generate(request({ samples: hum(8), maxSeconds: 30 }))
  const waiting = stream.next()
  session.dispose()
  session.dispose()
  await t.rejects(waiting, { code: 'MOSS_ABORTED' })
  t.throws(() => session.generate(request()), { code: 'MOSS_DISPOSED' })
  t.throws(() => session.reset(), { code: 'MOSS_DISPOSED' })
  t.equal(session.length, 0)
})

t.test('the event loop turns while models load and sessions work', async t => {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  const model = await load()
  await model.createSession().encode(hum(0.1))
  delay.enable()
  await Promise.all([
    load(),
    model.createSession().encode(hum(60)),
    readAll(model.createSession().generate(request({ samples: hum(20) }))),
  ])
  delay.disable()
  t.ok(delay.max < 100e6, `longest delay ${(delay.max / 1e6).toFixed(1)} ms`)
})

t.test('a thousand sessions leave nothing behind', async t => {
  const model = await load()
  const short = hum(0.1)
  const round = async (count: number): Promise<number> => {
    for (let i = 0; i < count; i++) {
      const session = model.createSession()
      const spoken = i % 10 === 0
      const prompt = spoken ? { samples: short } : { samples: undefined, textIds: Int32Array.of(1) }
      await session
        .generate(request({ ...prompt, output: spoken ? 'both' : 'text', maxSeconds: 0.1, maxTokens: 1 }))
        .next()
      session.dispose()
    }
    await sleep(50)
    return process.memoryUsage().rss
  }
  await round(200)
  const before = await round(1)
  const after = await round(1000)
  t.ok(after - before < 30e6, `grew by ${((after - before) / 1e6).toFixed(1)} MB`)
})

/** Code that defines `addon`, `tiny` and `request` in a separate program or worker. */
const prelude = `
  const addon = require('node-gyp-build')(${JSON.stringify(root)})
  const tiny = ${JSON.stringify(tiny)}
  const request = { samples: new Float32Array(16000 * 20).map((_, i) => Math.sin(i / 20) / 5), output: 'both', maxSeconds: 60 }
`

t.test('worker threads load it and may be terminated while it works', async t => {
  const code = `${prelude}
    const { parentPort } = require('node:worker_threads')
    addon.loadModel(tiny, { threads: 1 }).then(async model => {
      const stream = model.createSession().generate(request)
      const encoding = model.createSession().encode(request.samples)
      await stream.next()
      parentPort.postMessage('works')
      for (;;) await stream.next().then(c => c.done && encoding)
    })`
  const workers = Array.from({ length: 4 }, () => new Worker(code, { eval: true }))
  await Promise.all(
    workers.map(w => new Promise<void>((done, fail) => w.once('message', () => done()).once('error', fail))),
  )
  await Promise.all(workers.map(w => w.terminate()))
  const again = new Worker(code, { eval: true })
  again.once('online', () => void again.terminate())
  t.equal(await new Promise(done => again.once('exit', done)), 1)
  t.ok((await readAll((await load()).createSession().generate(request()))).at(-1)!.done, 'the main thread goes on')
})

t.test('getters of arguments may do anything', t => {
  const trials = {
    'generate, disposed': `session.generate({ ...request, get seed() { session.dispose(); model.dispose() } })`,
    'generate, last option': `session.generate({ ...request, get transcribe() { session.dispose(); model.dispose() } })`,
    'speakUnits, disposed': `session.speakUnits(Int32Array.of(5), { get speed() { session.dispose() } })`,
    'transcribe, disposed': `session.transcribe(request.samples, { get temperature() { session.dispose(); model.dispose() } })`,
    'transcribe, last option': `session.transcribe(request.samples, { get maxTokens() { session.dispose(); model.dispose() } })`,
    'generate, begun meanwhile': `session.generate({ ...request, get seed() { session.encode(request.samples) } })`,
    'generate, changing': `session.generate({ ...request, get samples() { return this.n ? 5 : (this.n = 1, undefined) }, textIds: Int32Array.of(1), output: 'text', maxTokens: 1 })`,
    'generate, throwing': `session.generate({ ...request, get samples() { throw Object.assign(new Error(), { code: 'THEIRS' }) } })`,
    'createSession, disposed': `model.createSession({ get seed() { model.dispose() } }).encode(request.samples)`,
    'measureHeads, disposed': `model.measureHeads('lm', { get textIds() { model.dispose() } })`,
    'compare, no model': `model.compare('lm', Object.setPrototypeOf(session, Object.getPrototypeOf(model)), {})`,
    'compare, its prototype': `model.compare('lm', Object.create(Object.getPrototypeOf(model)), {})`,
    'info of a session': `Object.getPrototypeOf(model).info.call(session)`,
  }
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [
      '-e',
      `${prelude}
      const trials = { ${Object.entries(trials)
        .map(([name, code]) => `${JSON.stringify(name)}: (model, session) => ${code}`)
        .join()} }
      const settled = async work => {
        const begun = await work()
        if (begun && begun.next) await begun.next()
        return 'done'
      }
      const main = async () => {
        const outcomes = {}
        for (const [name, trial] of Object.entries(trials)) {
          request.samples = new Float32Array(16000)
          const model = await addon.loadModel(tiny, { threads: 1 })
          const session = model.createSession()
          outcomes[name] = await settled(() => trial(model, session)).catch(error => error.code ?? error.name)
        }
        return outcomes
      }
      main().then(outcomes => console.log(JSON.stringify(outcomes)))`,
    ],
    { cwd: root, encoding: 'utf8', timeout: 120_000 },
  )
  t.equal(signal, null, stderr)
  t.equal(status, 0, stderr)
  t.same(JSON.parse(stdout), {
    'generate, disposed': 'MOSS_DISPOSED',
    'generate, last option': 'MOSS_DISPOSED',
    'speakUnits, disposed': 'MOSS_DISPOSED',
    'transcribe, disposed': 'MOSS_DISPOSED',
    'transcribe, last option': 'MOSS_DISPOSED',
    'generate, begun meanwhile': 'MOSS_SESSION_BUSY',
    'generate, changing': 'done',
    'generate, throwing': 'THEIRS',
    'createSession, disposed': 'MOSS_DISPOSED',
    'measureHeads, disposed': 'MOSS_DISPOSED',
    'compare, no model': 'MOSS_INVALID_ARGUMENT',
    'compare, its prototype': 'MOSS_INVALID_ARGUMENT',
    'info of a session': 'TypeError',
  })
  t.end()
})

t.test('it outlives the threads that load it', t => {
  // A library is unloaded with the last thread that uses it, and ggml would abort if it were initialised again. No
  // model is loaded, because its backends would keep the library loaded.
  const inThread = `${prelude} addon.quantize('q8_0', new Float32Array(32), 32)`
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      '-e',
      `const { Worker } = require('node:worker_threads')
      const run = () => new Promise(done => new Worker(${JSON.stringify(inThread)}, { eval: true }).once('exit', done))
      run().then(run).then(() => { ${prelude} })`,
    ],
    { cwd: root, encoding: 'utf8', timeout: 30_000 },
  )
  t.equal(status, 0, stderr)
  t.end()
})

t.test('a process ends cleanly while it works', async t => {
  const run = (code: string) =>
    spawnSync(process.execPath, ['-e', prelude + code], {
      cwd: root,
      encoding: 'utf8',
      timeout: 30_000,
      env: { ...process.env, MALLOC_PERTURB_: '165' }, // glibc overwrites freed memory
    })
  const start = `addon.loadModel(tiny, { threads: 1 }).then(async model => {
    const stream = model.createSession().generate(request)
    const encoding = model.createSession().encode(request.samples)
    await stream.next();`
  for (const [what, code, status] of [
    ['process.exit', `${start} process.exit(3) })`, 3],
    ['process.exit while it loads', 'addon.loadModel(tiny); process.exit(3)', 3],
    ['an uncaught error', `${start} setImmediate(() => { throw new Error('boom') }) })`, 1],
    ['nothing left to do', `${start} })`, 0],
    [
      'a stream that nobody reads',
      'addon.loadModel(tiny).then(model => { model.createSession().generate(request) })',
      0,
    ],
    [
      'threads that end before it does, which nobody was told',
      `addon.loadModel(tiny, { threads: 1 }).then(async model => {
        const sessions = Array.from({ length: 8 }, () => model.createSession())
        await Promise.all(sessions.map(session => session.encode(request.samples.subarray(0, 16000))))
        process.prependOnceListener('exit', () => {
          for (const session of sessions) session.dispose()
          for (const end = Date.now() + 300; Date.now() < end;);
        })
      })`,
      0,
    ],
    ['a loaded model', 'addon.loadModel(tiny).then(model => { globalThis.model = model })', 0],
  ] as const) {
    const result = run(code)
    t.equal(result.signal, null, what)
    t.equal(result.status, status, `${what}: ${result.stderr}`)
  }
})
