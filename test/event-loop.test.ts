// How the event loop is kept free: how much work is done in one turn, and the priorities of threads. These tests do not
// depend on times, which bench/event-loop.mjs measures.

import { readdirSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { encodeWav, loadModel, readAudio, writeWav } from '../dist/lib/index.js'
import { toSamples } from '../dist/lib/audio.js'
import { TINY } from './helpers/model.js'

/** The most samples that one turn may check or convert, and the most values that it may copy. */
const CONVERTED = 1 << 15
const COPIED = 1 << 20

/** Counts the turns of the event loop until stopped. */
function countTurns(): { readonly turns: number; stop: () => void } {
  const count = { turns: 0, stop: () => clearImmediate(next) }
  let next = setImmediate(function turn() {
    count.turns++
    next = setImmediate(turn)
  })
  return count
}

t.test('samples are checked piece by piece', async t => {
  const samples = new Float32Array(1 << 21)
  const count = countTurns()
  await toSamples(samples, Infinity, undefined)
  count.stop()
  t.ok(count.turns >= samples.length / CONVERTED - 1, `${count.turns} turns`)
})

t.test('large arrays are copied piece by piece on their way to another thread', async t => {
  const { postMessage } = Worker.prototype // eslint-disable-line @typescript-eslint/unbound-method
  let turns = 0
  let count = countTurns()
  Worker.prototype.postMessage = function (this: Worker, ...args: Parameters<typeof postMessage>) {
    turns = count.turns
    return postMessage.apply(this, args)
  }
  t.teardown(() => (Worker.prototype.postMessage = postMessage))

  const bytes = encodeWav(new Float32Array(1 << 22))
  for (const [name, source] of Object.entries({ bytes, buffer: bytes.slice().buffer })) {
    count.stop()
    count = countTurns()
    const { seconds } = await readAudio(source, { maxSeconds: 1000 })
    t.ok(turns >= bytes.length / COPIED - 1, `${name}: ${turns} turns before they were sent`)
    t.equal(seconds, (1 << 22) / 16000)
  }

  const samples = new Float32Array(1 << 22)
  count.stop()
  count = countTurns()
  await toSamples({ samples, sampleRate: 48000 }, Infinity, undefined)
  count.stop()
  // The samples are checked first.
  t.ok(turns >= samples.length / CONVERTED + samples.length / COPIED - 2, `${turns} turns before they were sent`)

  const moved = encodeWav(new Float32Array(1 << 22)).slice()
  const reading = readAudio(moved, { maxSeconds: 1000 })
  structuredClone(moved, { transfer: [moved.buffer] })
  await t.rejects(reading, { code: 'MOSS_INVALID_ARGUMENT', message: /transferred/ })
})

t.test('a wav is converted piece by piece', async t => {
  const path = join(t.testdir(), 'long.wav')
  const file = await open(path, 'w')
  const prototype = Object.getPrototypeOf(file) as { write: (...args: unknown[]) => Promise<unknown> }
  await file.close()
  const { write } = prototype
  const sizes: number[] = []
  prototype.write = function (...args) {
    sizes.push((args[0] as Uint8Array).length)
    return write.apply(this, args)
  }
  t.teardown(() => (prototype.write = write))
  await writeWav(path, new Float32Array(1 << 18))
  t.equal(sizes.reduce((sum, size) => sum + size, 0), (1 << 19) + 44 + 44) // prettier-ignore
  t.ok(Math.max(...sizes) <= 2 * CONVERTED, `at most ${Math.max(...sizes)} bytes a turn`)
})

t.test(
  'threads that compute have a lower priority',
  { skip: process.platform !== 'linux' && 'read from /proc' },
  async t => {
    /** The nice values of this process's threads by id. */
    const niceness = (): Map<string, number> =>
      new Map(
        readdirSync('/proc/self/task').map(id => {
          const stat = readFileSync(`/proc/self/task/${id}/stat`, 'utf8')
          // The third field follows the name, which may contain spaces and brackets; niceness is the nineteenth field.
          return [id, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])]
        }),
      )
    const before = niceness()
    const ours = before.get(String(process.pid)) ?? 0
    const model = await loadModel(TINY, { threads: 2 })
    const session = model.createSession()
    await session.speak('Hello.').result()
    const threads = [...niceness()].filter(([id]) => !before.has(id)).map(([, nice]) => nice)
    // The threads of the session, its helper, and the text thread. V8 and libuv may have started others.
    t.ok(threads.filter(nice => nice === Math.min(19, ours + 2)).length >= 3, `${ours} and ${threads.join()}`)
    t.equal(niceness().get(String(process.pid)), ours, 'that of the event loop stays')
    await session.dispose()
    await model.dispose()
  },
)

t.test('a session is saved and loaded piece by piece', async t => {
  const model = await loadModel(TINY)
  const session = model.createSession({ seed: 1 })
  await session.generate({ text: 'seven '.repeat(40) }, { output: 'text', maxTokens: 8 }).result()
  const pieces: Buffer[] = []
  const write = (piece: Buffer, _: unknown, done: () => void): void => {
    pieces.push(piece)
    done()
  }
  await session.save(new Writable({ write }))
  const whole = Buffer.concat(pieces)
  const largest = Math.max(...pieces.map(piece => piece.length))
  t.ok(whole.length > 2 * largest)
  t.ok(largest <= COPIED, `${largest} bytes at a time`)
  const count = countTurns()
  await model.loadSession(whole)
  count.stop()
  t.ok(count.turns >= whole.length / largest - 1, `${count.turns} turns of the event loop`)
  await model.dispose()
})
