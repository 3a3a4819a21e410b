// Model and session with the real addon and a tiny bundle of random weights. The content of replies is random; the
// tests check the behaviour.

import { execFile } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { closeSync, ftruncateSync, openSync } from 'node:fs'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import {
  loadModel,
  MossSpeechError,
  ModelNotFoundError,
  type GenerateOptions,
  type Reply,
  type Session,
  type SessionOptions,
  type TranscribeOptions,
} from '../dist/lib/index.js'
import { root, TINY } from './helpers/model.js'
import { makeWav, sine } from './helpers/wav.js'

const SPEECH = sine(1)
/** Short replies keep the tests short. */
const SHORT = { maxSeconds: 1 }

async function withSession(work: (session: Session) => Promise<void>, options: SessionOptions = {}): Promise<void> {
  const model = await loadModel(TINY)
  try {
    await work(model.createSession({ seed: 1, ...options }))
  } finally {
    await model.dispose()
  }
}

t.test('loading', async t => {
  const model = await loadModel(TINY, { threads: 1 })
  const info = model.info()
  t.equal(info.path, TINY)
  t.equal(info.name, 'tiny')
  t.same(
    info.components.map(c => c.name),
    ['frontend', 'tone', 'encoder', 'aligner', 'lm', 'decoder'],
  )
  t.ok(info.voices.length > 0 && info.units.length > 50 && info.sampleRate > 0)
  t.notOk('tokenizer' in info, 'the tokenizer is not for users')
  await model.dispose()
  await model.dispose()
  t.throws(() => model.createSession(), { code: 'MOSS_DISPOSED' })
  const byUrl = await loadModel(pathToFileURL(TINY))
  await byUrl[Symbol.asyncDispose]()
})

t.test('files that are not models', async t => {
  const folder = t.testdir({ 'text.gguf': 'This is no model.', 'empty.gguf': '' })
  const whole = await readFile(TINY)
  const none = await loadModel(join(folder, 'none.gguf')).catch((e: unknown) => e)
  t.ok(none instanceof ModelNotFoundError && none instanceof MossSpeechError && none instanceof Error)
  t.match(none, {
    code: 'MOSS_MODEL_NOT_FOUND',
    name: 'ModelNotFoundError',
    details: { path: join(folder, 'none.gguf') },
  })
  await t.rejects(loadModel(folder), { code: 'MOSS_MODEL_FORMAT' }, 'a folder')
  for (const name of ['text.gguf', 'empty.gguf'])
    await t.rejects(loadModel(join(folder, name)), { code: 'MOSS_MODEL_FORMAT' }, name)
  for (const part of [0.01, 0.5, 0.999]) {
    const path = join(folder, `cut-${part}.gguf`)
    await writeFile(path, whole.subarray(0, Math.floor(whole.length * part)))
    await t.rejects(loadModel(path), { code: 'MOSS_MODEL_FORMAT' }, `${part} of a model`)
  }
  await t.rejects(loadModel(''), { code: 'MOSS_INVALID_ARGUMENT' })
  await t.rejects(loadModel(7 as never), { code: 'MOSS_INVALID_ARGUMENT' })
  await t.rejects(loadModel(TINY, { threads: 0 }), { code: 'MOSS_INVALID_ARGUMENT', details: { option: 'threads' } })
  await t.rejects(loadModel(TINY, { thread: 1 } as never), {
    code: 'MOSS_INVALID_ARGUMENT',
    message: /there is no option thread/,
  })
})

t.test('all four modes', async t => {
  await withSession(async session => {
    const { sampleRate } = { sampleRate: 16_000 }
    t.match(session.info(), { path: 'end-to-end', modes: { length: 4 }, length: 0, nCtx: 512 })
    for (const prompt of [{ speech: SPEECH }, { text: 'seven' }]) {
      const name = Object.keys(prompt)[0] ?? ''
      const both = await session.generate(prompt, { ...SHORT, output: 'both' }).result()
      t.ok(both.audio.length > 0 && both.units.length > 0, `${name} → both: speech`)
      t.equal(both.sampleRate, sampleRate)
      t.equal(both.seconds, both.audio.length / sampleRate)
      t.ok(both.audio.every(Number.isFinite), 'finite samples')
      t.ok(both.timings.totalMs > 0)
      t.equal(both.heard !== undefined, name === 'speech', 'heard, where there was speech')
      session.reset()
      const speech = await session.generate(prompt, { ...SHORT, output: 'speech' }).result()
      t.ok(speech.audio.length > 0, `${name} → speech`)
      t.equal(speech.text, '')
      session.reset()
      const text = await session.generate(prompt, { output: 'text' }).result()
      t.equal(text.audio.length, 0, `${name} → text`)
      t.equal(text.units.length, 0)
      session.reset()
    }
  })
})

t.test('every option of a reply has its effect', async t => {
  await withSession(async session => {
    const reply = async (options: GenerateOptions): Promise<Reply> => {
      session.reset()
      return session.generate({ text: 'seven' }, { seed: 1, maxSeconds: 0.5, ...options }).result()
    }
    const likeliest = await reply({ temperature: 0 })
    const drawn = await reply({ temperature: 2 })
    t.not(drawn.units.join(), likeliest.units.join(), 'temperature')
    t.same((await reply({ temperature: 2, topK: 1 })).units, likeliest.units, 'topK')
    t.same((await reply({ temperature: 2, topP: 1e-6 })).units, likeliest.units, 'topP')
    t.not((await reply({ temperature: 2, seed: 2 })).units.join(), drawn.units.join(), 'seed')
    t.equal(likeliest.seconds, 0.5)
    const cut = await reply({ temperature: 0, maxSeconds: 0.1 })
    t.equal(cut.seconds, 0.1, 'maxSeconds')
    t.same(cut.audio, likeliest.audio.subarray(0, cut.audio.length))
    t.same(
      (await reply({ temperature: 0, voice: { mei: 2 } })).audio,
      (await reply({ temperature: 0, voice: 'mei' })).audio,
    )
    await t.rejects(reply({ pause: 2 }), { code: 'MOSS_UNSUPPORTED' }, 'this decoder cannot change pauses')
    const text = await reply({ temperature: 0, output: 'text', maxTokens: 16 })
    const short = await reply({ temperature: 0, output: 'text', maxTokens: 4 })
    t.ok(text.text.startsWith(short.text) && short.text.length < text.text.length, 'maxTokens')
    for (const options of [
      { voice: 'mei' },
      { voice: { mei: 1, anna: 3 } },
      { speed: 2 },
      { pitch: 3 },
      { energy: -6 },
      { emotion: 'sad' },
      { noiseScale: 0 },
    ]) {
      const other = await reply({ temperature: 0, ...options })
      t.same(other.units.slice(0, 9), likeliest.units.slice(0, 9), 'the same is said')
      t.notOk(
        Buffer.from(other.audio.buffer).equals(Buffer.from(likeliest.audio.buffer)),
        `otherwise: ${JSON.stringify(options)}`,
      )
    }
  })
})

t.test('a transcription is the most probable text', async t => {
  await withSession(async session => {
    const write = async (options?: TranscribeOptions): Promise<string> =>
      (await session.transcribe(SPEECH, options)).text
    const texts = [await write(), await write(), await write({ temperature: 0 })]
    t.equal(new Set(texts).size, 1, 'each time')
    t.not(await write({ temperature: 2 }), texts[0], 'unless a temperature is given')
  })
})

async function read<C>(reply: AsyncIterable<C>): Promise<C[]> {
  const chunks: C[] = []
  for await (const chunk of reply) chunks.push(chunk)
  return chunks
}

t.test('chunks add up to the result', async t => {
  await withSession(async session => {
    const stream = session.generate({ speech: SPEECH }, { ...SHORT, transcribe: true })
    const result = stream.result()
    const chunks = await read(stream)
    const reply = await result
    t.equal(chunks.reduce((n, c) => n + (c.audio?.length ?? 0), 0), reply.audio.length) // prettier-ignore
    t.equal(chunks.flatMap(c => c.units ?? []).join(''), reply.units.join(''))
    t.equal(chunks.map(c => c.text ?? '').join(''), reply.text)
    t.type(reply.heard?.text, 'string', 'what was heard is written down')
    t.equal((await read(stream)).length, chunks.length, 'a later loop sees all of them')
    t.equal(stream.result(), result)
  })
})

t.test('chunks that loops have read are not kept', async t => {
  await withSession(async session => {
    const stream = session.generate({ text: 'seven' }, SHORT)
    const [one, other] = await Promise.all([read(stream), read(stream)])
    t.ok(one.length > 1)
    t.same(one, other, 'loops that begin together see all of it')
    await t.rejects(read(stream), { code: 'MOSS_NOT_KEPT', message: /another loop/ })
    const reply = await stream.result()
    t.equal(reply.text, one.map(c => c.text ?? '').join(''))
    t.throws(() => reply.audio, { code: 'MOSS_NOT_KEPT', message: /result\(\) before the loop/ })
    t.equal(JSON.stringify(reply).includes('"audio"'), false)

    session.reset()
    const late = session.generate({ text: 'seven' }, SHORT)
    const loop = late[Symbol.asyncIterator]()
    await loop.next()
    const result = late.result()
    await t.rejects(read(late), { code: 'MOSS_NOT_KEPT' }, 'a loop that begins too late')
    t.equal((await loop.next()).done, false, 'does not disturb the first one')
    const { units } = await result
    t.ok(units.length > 0)

    session.reset()
    const written = session.generate({ text: 'seven' }, { output: 'text' })
    await read(written)
    t.equal((await written.result()).audio.length, 0, 'where there was no audio, none is missing')
  })
})

t.test('an error that a loop has thrown need not be handled again', async t => {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  await withSession(async session => {
    const reply = session.generate({ text: 'a' }, { maxSeconds: 30 })
    const whole = reply.result()
    for await (const _ of reply) break
    await new Promise(setImmediate)
    t.equal(unhandled.length, 0)
    await t.rejects(whole, { code: 'MOSS_ABORTED' })
    await t.rejects(read(reply), { code: 'MOSS_ABORTED' })
  })
})

t.test('equal seeds give equal replies, and turns are remembered', async t => {
  const replies: Reply[] = []
  for (let i = 0; i < 2; i++) {
    await withSession(async session => {
      replies.push(await session.generate({ text: 'seven' }, SHORT).result())
      t.ok(session.length > 0, 'the turn stays in the context')
    })
  }
  t.same(replies[0]?.units, replies[1]?.units)
  t.same(replies[0]?.audio, replies[1]?.audio)
})

t.test('speech in every form', async t => {
  const path = join(t.testdir(), 'speech.wav')
  const wav = makeWav(SPEECH)
  await writeFile(path, wav)
  await withSession(async session => {
    const units: string[] = []
    for (const speech of [path, pathToFileURL(path), wav, { samples: SPEECH, sampleRate: 16_000 }]) {
      const heard = await session.transcribe(speech)
      units.push(heard.units.map(u => u.unit).join(''))
      t.ok(heard.units.every(u => u.start <= u.end && u.end <= 1.1))
    }
    t.equal(new Set(units).size, 1, 'the same is heard')
    const eight = await session.transcribe({ samples: sine(1, 8000), sampleRate: 8000 })
    t.type(eight.text, 'string')
  })
})

t.test('arguments are checked', async t => {
  await withSession(async session => {
    const invalid = { code: 'MOSS_INVALID_ARGUMENT' }
    const bad = (options: object, option: string): unknown =>
      t.throws(
        () => session.generate({ text: 'a' }, options),
        { ...invalid, details: { option } },
        JSON.stringify(options),
      )
    bad({ output: 'song' }, 'output')
    bad({ voice: 'nobody' }, 'voice')
    bad({ emotion: 'hungry' }, 'emotion')
    bad({ speed: 0.4 }, 'speed')
    bad({ speed: NaN }, 'speed')
    bad({ speed: '1' }, 'speed')
    bad({ voice: {} }, 'voice')
    bad({ voice: { mei: 0 } }, 'voice.mei')
    bad({ voice: { nobody: 1 } }, 'voice')
    bad({ pitch: 13 }, 'pitch')
    bad({ energy: -21 }, 'energy')
    bad({ pause: -1 }, 'pause')
    bad({ temperature: -1 }, 'temperature')
    bad({ topP: 0 }, 'topP')
    bad({ topP: 1.1 }, 'topP')
    bad({ topK: 1.5 }, 'topK')
    bad({ seed: -1 }, 'seed')
    bad({ seed: 2 ** 60 }, 'seed')
    bad({ maxSeconds: 0 }, 'maxSeconds')
    bad({ maxSeconds: Infinity }, 'maxSeconds')
    bad({ transcribe: 1 }, 'transcribe')
    bad({ signal: {} }, 'signal')
    bad({ tempertaure: 1 }, 'tempertaure')
    for (const prompt of [
      undefined,
      null,
      {},
      'text',
      { speech: SPEECH, text: 'a' },
      { text: '' },
      { text: '  ' },
      { text: 5 },
    ]) {
      t.throws(() => session.generate(prompt as never), invalid, JSON.stringify(prompt)?.slice(0, 20))
    }
    t.throws(() => session.speak(''), invalid)
    t.throws(() => session.speak('a'.repeat(200_000)), invalid)
    t.throws(() => session.speak('a', { output: 'text' } as never), invalid)
    t.match(t.throws(() => session.generate({ text: 'a' }, { voice: 'nobody' })), { message: /anna, mei/ }, 'the names there are') // prettier-ignore

    const nan = sine(1)
    nan[12_345] = NaN
    const cases: [unknown, string][] = [
      [new Float32Array(0), 'MOSS_AUDIO_LENGTH'],
      [new Float32Array(100), 'MOSS_AUDIO_LENGTH'],
      [nan, 'MOSS_INVALID_ARGUMENT'],
      [sine(1, 16_000, 440, 1000), 'MOSS_INVALID_ARGUMENT'],
      [new Float32Array(16_000 * 600), 'MOSS_AUDIO_LENGTH'],
      [{ samples: SPEECH, sampleRate: 10 }, 'MOSS_INVALID_ARGUMENT'],
      [{ samples: [1, 2] }, 'MOSS_INVALID_ARGUMENT'],
      ['no-such-file.wav', 'MOSS_FILE'],
      [join(root, 'package.json'), 'MOSS_AUDIO_FORMAT'],
      [42, 'MOSS_INVALID_ARGUMENT'],
    ]
    for (const [speech, code] of cases) {
      await t.rejects(session.transcribe(speech as never), { code })
      await t.rejects(session.generate({ speech: speech as never }, SHORT).result(), { code })
    }
    await t.rejects(session.speak('Привет').result(), invalid)
    t.ok((await session.generate({ text: 'a' }, SHORT).result()).audio.length > 0, 'and after all that it still works')
  })
})

t.test('stopping', async t => {
  await withSession(async session => {
    const before = session.length
    let seen = 0
    for await (const _ of session.generate({ speech: SPEECH }, { maxSeconds: 30 })) if (++seen === 1) break
    t.equal(session.length, before, 'leaving the loop leaves the context as it was')

    const controller = new AbortController()
    const aborted = session.generate({ speech: SPEECH }, { maxSeconds: 30, signal: controller.signal })
    await t.rejects(
      (async () => {
        for await (const _ of aborted) controller.abort(new Error('enough'))
      })(),
      { name: 'AbortError', code: 'MOSS_ABORTED', cause: { message: 'enough' } },
    )
    await t.rejects(aborted.result(), { code: 'MOSS_ABORTED' })
    await t.rejects(session.generate({ text: 'a' }, { signal: AbortSignal.abort() }).result(), { code: 'MOSS_ABORTED' })
    await t.rejects(session.transcribe(SPEECH, { signal: AbortSignal.abort() }), { code: 'MOSS_ABORTED' })

    const cancelled = session.generate({ text: 'a' })
    await cancelled.cancel()
    await cancelled.cancel()
    await t.rejects(cancelled.result(), { code: 'MOSS_ABORTED' }, 'cancelled before it began')
    t.equal(session.length, before)
    const { signal } = new AbortController() // a long-lived signal
    const reply = session.generate({ text: 'a' }, { ...SHORT, signal })
    t.ok((await reply.result()).audio.length > 0, 'the session goes on')
    t.equal(getEventListeners(signal, 'abort').length, 0, 'a reply that has ended listens no more')
  })
})

t.test('one thing at a time', async t => {
  await withSession(async session => {
    const first = session.generate({ text: 'a' }, SHORT)
    const running = first.result()
    await t.rejects(session.generate({ text: 'b' }, SHORT).result(), {
      code: 'MOSS_SESSION_BUSY',
      name: 'SessionBusyError',
    })
    await t.rejects(session.transcribe(SPEECH), { code: 'MOSS_SESSION_BUSY' })
    t.throws(() => session.reset(), { code: 'MOSS_SESSION_BUSY' })
    await running
    session.reset()
    t.equal(session.length, 0)
  })
  const model = await loadModel(TINY)
  const sessions = [1, 2, 3].map(seed => model.createSession({ seed }))
  const replies = await Promise.all(sessions.map(s => s.generate({ text: 'a' }, SHORT).result()))
  t.ok(replies.every(r => r.audio.length > 0), 'sessions run side by side') // prettier-ignore
  await model.dispose()
})

t.test('disposal', async t => {
  const model = await loadModel(TINY)
  const session = model.createSession()
  const suspended = model.createSession().generate({ text: 'b' }, { maxSeconds: 30 })
  await suspended[Symbol.asyncIterator]().next() // a loop that never continues
  const running = session.generate({ text: 'a' }, { maxSeconds: 30 }).result()
  await Promise.all([t.rejects(running, { code: 'MOSS_DISPOSED' }), session.dispose()])
  const hearing = model.createSession()
  let over = ''
  void hearing.transcribe(sine(20)).catch((error: MossSpeechError) => (over = error.code))
  await new Promise(resolve => setTimeout(resolve, 20))
  await hearing.dispose()
  await new Promise<void>(resolve => process.nextTick(resolve)) // settled promises have been reported
  t.equal(over, 'MOSS_DISPOSED', 'when a session is disposed of, nothing of it runs')
  t.throws(() => session.reset(), { code: 'MOSS_DISPOSED' })
  await t.rejects(session.generate({ text: 'a' }).result(), { code: 'MOSS_DISPOSED' })
  await model.dispose()
  await t.rejects(suspended.result(), { code: 'MOSS_DISPOSED' }, 'a model takes its sessions with it')
})

t.test('reading aloud', async t => {
  await withSession(async session => {
    const stream = session.speak('Hello there. 你好！', { voice: 'mei', speed: 1.2, emotion: 'happy', seed: 4 })
    const result = stream.result()
    const begun: string[] = []
    for await (const chunk of stream) if (chunk.text) begun.push(chunk.text)
    t.same(begun, ['Hello there.', '你好！'], 'sentence by sentence')
    const spoken = await result
    t.ok(spoken.audio.length > 0)
    t.match(spoken.units.join(''), /həlˈO ðɛɹ\./)
    t.match(spoken.units.join(''), /ni↗ ?xau↓!/)
    t.equal(session.length, 0, 'the conversation is not changed')
  })
})

t.test('a full context is an error that says so', async t => {
  const work = async (session: Session): Promise<void> => {
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) await session.generate({ text: 'seven '.repeat(20) }, SHORT).result()
    }
    await t.rejects(fill(), { code: 'MOSS_PROMPT_TOO_LONG', message: /reset\(\)/ })
    session.reset()
    t.ok((await session.generate({ text: 'a' }, SHORT).result()).audio.length > 0)
  }
  await withSession(work, { contextOverflow: 'error' })
})

t.test('the event loop goes on', async t => {
  await withSession(async session => {
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    const started = performance.now()
    for (let i = 0; i < 3; i++) {
      await session.generate({ speech: SPEECH }, { maxSeconds: 3, output: 'speech' }).result()
      await session.speak('Hello there. 你好！').result()
      session.reset()
    }
    const elapsed = performance.now() - started
    clearInterval(timer)
    t.ok(ticks >= elapsed / 5 / 20, `${ticks} ticks of 5 ms in ${elapsed.toFixed(0)} ms: a twentieth would do`)
  })
})

t.test('memory does not grow', async t => {
  // In a separate process with one malloc arena for all threads, because the number that glibc opens for the threads of
  // sessions varies.
  const script = `
    const { loadModel } = require(${JSON.stringify(join(root, 'dist', 'lib', 'index.js'))})
    const rounds = async n => {
      for (let i = 0; i < n; i++) {
        const model = await loadModel(${JSON.stringify(TINY)})
        await model.createSession().generate({ text: 'a' }, { maxSeconds: 1, output: 'text' }).result()
        await model.dispose()
      }
      gc()
      return process.memoryUsage.rss()
    }
    void (async () => console.log(-(await rounds(30)) + (await rounds(60))))()`
  const env = { ...process.env, MALLOC_ARENA_MAX: '1' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '-e', script], { env })
  const growth = Number(stdout) / 1024 / 1024
  t.ok(growth < 24, `${growth.toFixed(1)} MiB more after 60 loads`)
})

t.test('worker threads', async t => {
  const script = `
    const { parentPort } = require('node:worker_threads')
    const { loadModel } = require(${JSON.stringify(join(root, 'dist', 'lib', 'index.js'))})
    void (async () => {
      const model = await loadModel(${JSON.stringify(TINY)})
      const reply = await model.createSession({ seed: 1 }).generate({ text: 'seven' }, { maxSeconds: 1 }).result()
      await model.dispose()
      parentPort.postMessage(reply.units)
    })()`
  const run = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(script, { eval: true })
      let units: unknown
      worker.on('message', (message: unknown) => (units = message))
      worker.on('error', reject)
      worker.on('exit', code => (code === 0 ? resolve(units) : reject(new Error(`exit code ${code}`))))
    })
  const results = await Promise.all([run(), run()])
  let here: string[] = []
  await withSession(async session => {
    here = (await session.generate({ text: 'seven' }, SHORT).result()).units
  })
  t.same(results, [here, here], 'the same reply there as here')
})

t.test(
  'a model file that is replaced while it is used does no harm',
  { skip: process.platform === 'win32' },
  async t => {
    const path = join(t.testdir(), 'model.gguf')
    await copyFile(TINY, path)
    const model = await loadModel(path)
    const fd = openSync(path, 'r+')
    ftruncateSync(fd, 100)
    closeSync(fd)
    t.ok((await model.createSession().generate({ text: 'a' }, SHORT).result()).audio.length > 0)
    await model.dispose()
  },
)
