// Objects that are no longer referenced are garbage-collected, and their native memory is freed: sessions, models,
// tokenizers, replies and their chunks.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { root, TINY } from './helpers/model.js'
import { runProgram } from './helpers/program.js'

const tiny = JSON.stringify(TINY)

t.test('sessions that are no longer referenced', async t => {
  const result = await runProgram(`
    const model = await lib.loadModel(${tiny}, { threads: 1 })
    const one = async () => {
      const session = watch(model.createSession())
      await session.generate({ text: 'a' }, { output: 'text', maxTokens: 1 }).result()
    }
    for (let i = 0; i < 50; i++) await one()
    const held = watch(model.createSession())
    await turn()
    const gone = collected()
    const busy = model.createSession().generate({ text: 'a' }, { maxSeconds: 30 }).result().catch(e => e.code)
    await turn()
    await model.dispose()
    const refused = await held.generate({ text: 'a' }).result().catch(e => e.code)
    return { gone, busy: await busy, refused }`)
  t.match(result, { busy: 'MOSS_DISPOSED', refused: 'MOSS_DISPOSED' }, 'a model takes those that are left with it')
  const { gone } = result as { gone: number }
  t.ok(gone >= 49, `${gone} of 50 are collected`) // the last one may still be in a register
})

t.test('sessions that have had live sessions, ended or forgotten', async t => {
  const result = await runProgram(`
    const model = await lib.loadModel(${tiny}, { threads: 1 })
    const samples = Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i / 20) / 5)
    const talk = async ends => {
      const session = watch(model.createSession())
      const live = watch(session.listen({ turnDetection: 'manual', vad: false, maxTokens: 2, maxSeconds: 0.2 }))
      live.write(samples)
      live.commit()
      if (ends) live.end()
      const events = live[Symbol.asyncIterator]()
      for (;;) {
        const { value, done } = await events.next()
        if (done || (!ends && value.type === 'replyEnd')) break
      }
      if (ends) await session.generate({ text: 'a' }, { maxSeconds: 5 })[Symbol.asyncIterator]().next()
    }
    for (const ends of [true, false]) for (let i = 0; i < 10; i++) await talk(ends)
    await turn()
    await turn()
    return { gone: collected() }`)
  const { gone } = result as { gone: number }
  t.ok(gone >= 38, `${gone} of 40 are collected`)
})

t.test('models that are no longer referenced, and their tokenizers', async t => {
  const result = await runProgram(`
    const { textThread } = require(${JSON.stringify(join(root, 'dist', 'lib', 'worker', 'offload.js'))})
    const one = async () => {
      const model = watch(await lib.loadModel(${tiny}, { threads: 1 }))
      await model.createSession().generate({ text: 'a' }, { output: 'text', maxTokens: 1 }).result()
      return model
    }
    const { length } = await one().then(model => model.createSession())
    const held = (await one()).createSession()
    for (let i = 0; i < 4; i++) await one()
    await turn()
    await turn()
    const tokenizers = []
    for (let key = 0; key < 6; key++)
      tokenizers.push(await textThread.run('encodeText', { key, text: 'a' }).then(() => 1, () => 0))
    const { text } = await held.generate({ text: 'a' }, { output: 'text', maxTokens: 1 }).result()
    return { gone: collected(), tokenizers, text: typeof text }`)
  const { gone, tokenizers, text } = result as { gone: number; tokenizers: number[]; text: string }
  t.ok(gone >= 5, `${gone} of 6 are collected`)
  t.equal(tokenizers[1], 1, 'the one of a session that is held stays')
  t.ok(tokenizers.reduce((a, b) => a + b) <= 2, `of tokenizers there are ${tokenizers.join(' ')}`)
  t.equal(text, 'string', 'a session keeps what it needs')
})

t.test('the chunks of a reply', async t => {
  const text = JSON.stringify('The light is on. '.repeat(60))
  const read = (before: string, after: string): Promise<unknown> =>
    runProgram(`
      const model = await lib.loadModel(${tiny}, { threads: 1 })
      const reply = model.createSession({ seed: 1 }).speak(${text})
      ${before}
      let samples = 0
      for await (const { audio } of reply) {
        if (!audio) continue
        samples += watch(audio).length
        if (weak.length % 20 === 0) await turn()
      }
      const gone = collected() / weak.length
      ${after}`)
  const forgotten = (await read(
    '',
    `const result = await reply.result()
     let code
     try { result.audio } catch (error) { code = error.code }
     const copy = { ...result }
     const again = await (async () => { for await (const _ of reply); })().catch(error => error.code)
     return { gone, samples, code, again, rate: result.sampleRate, seconds: result.seconds, copied: 'audio' in copy }`,
  )) as { gone: number; samples: number; rate: number; seconds: number }
  t.ok(forgotten.gone > 0.8, `${(forgotten.gone * 100).toFixed(0)} % are collected while the reply goes on`)
  t.match(forgotten, { code: 'MOSS_NOT_KEPT', again: 'MOSS_NOT_KEPT', copied: false })
  t.equal(forgotten.seconds, forgotten.samples / forgotten.rate, 'its length is known')
  const kept = (await read(
    'const whole = reply.result()',
    `let again = 0
     for await (const { audio } of reply) again += audio?.length ?? 0
     return { gone, samples, again, whole: (await whole).audio.length }`,
  )) as { gone: number; samples: number; again: number; whole: number }
  t.equal(kept.gone, 0, 'unless result() was called')
  t.equal(kept.again, kept.samples, 'then a late loop sees all of them')
  t.equal(kept.whole, kept.samples, 'and the audio is whole')
})

t.test('a reply that was read by hand and dropped leaves its session free', async t => {
  const result = await runProgram(`
    const model = await lib.loadModel(${tiny}, { threads: 1 })
    const session = model.createSession({ seed: 1 })
    const text = 'The light is on. '.repeat(60)
    const next = async reply => (await reply[Symbol.asyncIterator]().next()).done
    const speak = () => session.speak('a').result().then(() => 'free', e => e.code)
    const done = await next(session.speak(text))
    const before = await speak()
    let after = before
    for (let i = 0; i < 20 && after !== 'free'; i++) {
      await turn()
      after = await speak()
    }
    const reply = session.speak(text)
    await next(reply)
    await turn()
    await turn()
    const held = [await speak(), await reply.result().then(r => r.seconds > 1, e => e.code)]
    await next(session.speak(text))
    await turn()
    await turn()
    await session.dispose()
    return { done, before, after, held }`)
  t.strictSame(result, {
    done: false,
    before: 'MOSS_SESSION_BUSY',
    after: 'free',
    held: ['MOSS_SESSION_BUSY', true], // a referenced reply may be read further
  })
})

t.test('replies that are not read to the end, with a long-lived signal', async t => {
  const result = await runProgram(`
    const { getEventListeners } = require('node:events')
    const model = await lib.loadModel(${tiny}, { threads: 1 })
    const { signal } = new AbortController()
    const one = async () => {
      const session = watch(model.createSession())
      const reply = watch(session.generate({ text: 'a' }, { maxSeconds: 30, signal }))
      await reply[Symbol.asyncIterator]().next()
    }
    for (let i = 0; i < 8; i++) await one()
    await turn()
    await turn()
    return { gone: collected(), listeners: getEventListeners(signal, 'abort').length }`)
  const { gone, listeners } = result as { gone: number; listeners: number }
  t.ok(gone >= 14, `${gone} of 8 sessions and 8 replies are collected`)
  t.ok(listeners <= 1, `${listeners} listeners stay`)
})

t.test('a server that never disposes of anything', { skip: process.platform !== 'linux' }, async t => {
  // Without gc(), because V8 must collect by itself. All threads use one malloc arena, because the number that glibc
  // opens for the threads of sessions varies.
  const result = await runProgram(
    `
    globalThis.gc = undefined
    const { readdirSync } = require('node:fs')
    const model = await lib.loadModel(undefined, { threads: 1 })
    const speech = Float32Array.from({ length: 64_000 }, (_, i) => Math.sin(i / 20) / 5)
    const request = () => model.createSession({ seed: 1 }).features(speech)
    const most = { rss: 0, threads: 0 }
    await request()
    const before = process.memoryUsage().rss
    for (let i = 0; i < 60; i++) {
      await request()
      most.rss = Math.max(most.rss, process.memoryUsage().rss - before)
      most.threads = Math.max(most.threads, readdirSync('/proc/self/task').length)
    }
    return most`,
    { MALLOC_ARENA_MAX: '1' },
  )
  const { rss, threads } = result as { rss: number; threads: number }
  t.ok(rss < 200e6, `${(rss / 1e6).toFixed(0)} MB more after 60 requests`)
  t.ok(threads < 50, `${threads} threads at most`)
})

t.test('a process that ends while it loads a model', t => {
  const run = (code: string): number => {
    const began = performance.now()
    const program = `
      const addon = require('node-gyp-build')(${JSON.stringify(root)})
      const load = () => addon.loadModel(${JSON.stringify(join(root, 'models', 'nano.gguf'))}, { threads: 1 })
      ${code}`
    const { status, signal } = spawnSync(process.execPath, ['-e', program], { cwd: root })
    t.equal(status, 3, String(signal))
    return performance.now() - began
  }
  const least = (code: string): number => Math.min(...[1, 2, 3, 4].map(() => run(code)))
  const empty = least('process.exit(3)')
  const whole = least('load().then(() => process.exit(3))') - empty
  const stopped = least('load(); setTimeout(() => process.exit(3), 20)') - empty
  t.ok(stopped < whole / 2, `${stopped.toFixed(0)} ms where the whole load takes ${whole.toFixed(0)} ms`)
  t.end()
})

t.test('worker threads', async t => {
  const result = await runProgram(`
    const { Worker } = require('node:worker_threads')
    const inThread = \`
      const { parentPort } = require('node:worker_threads')
      const lib = require(${JSON.stringify(join(root, 'dist', 'lib', 'index.js'))})
      const weak = []
      const main = async () => {
        globalThis.model = await lib.loadModel(${tiny}, { threads: 1 })
        const one = async () => {
          const session = model.createSession()
          weak.push(new WeakRef(session))
          await session.generate({ text: 'a' }, { output: 'text', maxTokens: 1 }).result()
        }
        for (let i = 0; i < 20; i++) await one()
        for (let i = 0; i < 4; i++) {
          gc()
          await new Promise(resolve => setTimeout(resolve, 20))
        }
        globalThis.held = [model.createSession(), model.createSession()]
        await held[0].generate({ text: 'a' }, { output: 'text', maxTokens: 1 }).result()
        globalThis.iterator = held[1].speak('Hello there. Good morning.')[Symbol.asyncIterator]()
        await iterator.next()
        parentPort.postMessage(weak.filter(ref => !ref.deref()).length)
      }
      main()
    \`
    const run = () => new Promise((resolve, reject) => {
      const worker = new Worker(inThread, { eval: true })
      let gone
      worker.on('message', message => (gone = message)).on('error', reject)
      worker.on('exit', code => resolve([gone, code]))
    })
    return [await run(), ...(await Promise.all([run(), run()]))]`)
  for (const [gone, code] of result as [number, number][]) {
    t.ok(gone >= 19, `${gone} of 20 sessions are collected`)
    t.equal(code, 0, 'and a thread ends with a session, a model and a reply that nobody has disposed of')
  }
})

t.test('a process ends with objects that nobody has disposed of', async t => {
  const held = (last: string): Promise<unknown> =>
    runProgram(`
      globalThis.model = await lib.loadModel(${tiny}, { threads: 1 })
      globalThis.held = [model.createSession(), model.createSession(), model.createSession()]
      await held[0].generate({ text: 'a' }, { output: 'text', maxTokens: 1 }).result()
      globalThis.iterator = held[1].speak('Hello there. Good morning.')[Symbol.asyncIterator]()
      await iterator.next()
      globalThis.running = held[2].generate({ text: 'a' }, { maxSeconds: 1 }).result()
      ${last}
      return 'done'`)
  t.equal(await held(''), 'done')
  t.equal(await held('setTimeout(() => process.exit(0), 10)'), 'done')
})
