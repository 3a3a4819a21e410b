/*
 * Turns that are read to their end, aborted, left, interrupted by the next question, or whose session is disposed of
 * meanwhile, at random, on several worker threads with several sessions each. Every reply that is read to its end must
 * be, sample by sample, the one that a session alone gives: nothing may be lost, doubled, or out of order.
 *
 *     node bench/abuse.mjs                                        # 10,000 turns, three threads with four sessions each
 *     node bench/abuse.mjs --turns 500 --workers 2 --seed 7 --json
 *     node bench/abuse.mjs --ways read,abort                      # of read, result, leave, abort, interrupt, dispose, forget
 *
 * The model is the tiny one of test/golden. Ends with exit code 1 if anything was wrong.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { loadModel } from 'moss-speech-native'
import { choices, machine, rounded, whole } from './harness.mjs'

const TINY = new URL('../test/golden/tiny.gguf', import.meta.url)
const SESSIONS = 4 // of a worker
const QUESTIONS = 6
const OPTIONS = { maxSeconds: 0.5, maxTokens: 8, vad: false }

/** A generator of pseudo-random whole numbers below `n`. */
function random(seed) {
  let state = seed >>> 0
  return n => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return (state >>> 4) % n
  }
}

/** Half a second of sound, different for each question. */
const speech = question =>
  Float32Array.from({ length: 8000 }, (_, i) => 0.3 * Math.sin(i / (7 + question)) * Math.sin(i / 700))
const prompt = question =>
  question % 2 ? { text: `number ${question}` } : { speech: { samples: speech(question), sampleRate: 16_000 } }
const seedOf = question => 100 + question

/** What a reply was: its samples, units and text. */
class Digest {
  #hash = createHash('sha256')
  #units = []
  #text = ''
  add({ audio, units, text }) {
    if (audio) this.#hash.update(new Uint8Array(audio.buffer, audio.byteOffset, audio.byteLength))
    if (units) this.#units.push(...units)
    if (text) this.#text += text
  }
  toString() {
    return `${this.#hash.digest('hex')} ${this.#units.join('')} ${this.#text}`
  }
}

async function digestOf(chunks) {
  const digest = new Digest()
  for await (const chunk of chunks) digest.add(chunk)
  return digest.toString()
}

/** The ways in which a turn can go. Each returns what it was, or throws if something was wrong. */
const WAYS = {
  async read(s, question, expected) {
    const digest = await digestOf(s.session.generate(prompt(question), { ...OPTIONS, seed: seedOf(question) }))
    if (digest !== expected[question]) throw new Error(`another reply to question ${question}`)
  },
  async result(s, question, expected) {
    const { audio, units, text } = await s.session
      .generate(prompt(question), { ...OPTIONS, seed: seedOf(question) })
      .result()
    const digest = new Digest()
    digest.add({ audio, units, text })
    if (digest.toString() !== expected[question]) throw new Error(`another result for question ${question}`)
  },
  async leave(s, question, _, next) {
    let left = next(4)
    for await (const chunk of s.session.generate(prompt(question), OPTIONS)) if (!chunk || left-- === 0) break
  },
  async abort(s, question, _, next) {
    const stop = new AbortController()
    const reply = s.session.generate(prompt(question), { ...OPTIONS, signal: stop.signal }).result()
    reply.catch(() => undefined)
    await sleep(next(12))
    stop.abort()
    await allowing(reply, 'MOSS_ABORTED')
  },
  async interrupt(s, question, _, next) {
    const live = s.session.listen({ turnDetection: 'manual', vad: false, maxSeconds: 0.5, maxTokens: 8 })
    const samples = speech(question)
    let turns = 0
    let begun = 0
    const say = () => {
      for (let i = 0; i < samples.length;) {
        const size = 1 + next(3000)
        live.write(samples.subarray(i, i + size))
        i += size
      }
      live.commit()
    }
    say()
    let at = 0
    for await (const event of live) {
      if (event.type === 'audio') {
        if (event.turn !== begun) [begun, at] = [event.turn, 0]
        if (Math.abs(event.start - at) > 1e-6) throw new Error(`audio at ${event.start} s follows ${at} s`)
        at += event.audio.length / s.sampleRate
        if (turns++ === 0) say() // while it speaks
      }
      if (event.type === 'replyEnd') live.end()
    }
    await live.finished
  },
  async dispose(s, question, _, next) {
    const reply = s.session.generate(prompt(question), OPTIONS).result()
    reply.catch(() => undefined)
    await sleep(next(8))
    await s.session.dispose()
    await allowing(reply, 'MOSS_DISPOSED')
    s.renew()
  },
  async forget(s, question) {
    await s.session.generate(prompt(question), OPTIONS)[Symbol.asyncIterator]().next()
    s.renew() // neither the reply nor the session is ended: the garbage collector finds them
  },
}
const NAMES = Object.keys(WAYS)

/** Waits for a promise that may reject with this code. */
async function allowing(promise, code) {
  try {
    await promise
  } catch (thrown) {
    if (thrown.code !== code) throw thrown
  }
}

async function work({ turns, seed, worker, ways }) {
  const model = await loadModel(TINY, { threads: 1 })
  const { sampleRate } = model.info()
  const alone = model.createSession()
  const expected = []
  for (let question = 0; question < QUESTIONS; question++) {
    alone.reset()
    expected.push(await digestOf(alone.generate(prompt(question), { ...OPTIONS, seed: seedOf(question) })))
  }
  const counts = Object.fromEntries(ways.map(name => [name, 0]))
  const wrong = []
  let left = turns
  const converse = async number => {
    const next = random(seed * 1000 + worker * 100 + number)
    const s = { sampleRate, renew: () => (s.session = model.createSession({ seed: number })) }
    s.renew()
    while (left-- > 0) {
      const name = ways[next(ways.length)]
      const question = next(QUESTIONS)
      s.session.reset()
      try {
        await WAYS[name](s, question, expected, next)
        counts[name]++
      } catch (thrown) {
        wrong.push(`${name}: ${thrown.stack}`)
        s.renew()
      }
    }
  }
  await Promise.all(Array.from({ length: SESSIONS }, (_, i) => converse(i)))
  await model.dispose()
  return { counts, wrong }
}

async function main() {
  const { values } = parseArgs({
    options: {
      turns: { type: 'string', default: '10000' },
      workers: { type: 'string', default: '3' },
      seed: { type: 'string', default: '1' },
      ways: { type: 'string', default: NAMES.join(',') },
      json: { type: 'boolean', default: false },
    },
  })
  const [turns, workers, seed] = ['turns', 'workers', 'seed'].map(name => whole(name, values[name]))
  const ways = choices('ways', values.ways, NAMES)
  const began = performance.now()
  const results = await Promise.all(
    Array.from({ length: workers }, (_, worker) => {
      const share = Math.floor((turns * (worker + 1)) / workers) - Math.floor((turns * worker) / workers)
      const thread = new Worker(fileURLToPath(import.meta.url), { workerData: { turns: share, seed, worker, ways } })
      return new Promise((resolve, reject) => {
        thread.once('message', resolve)
        thread.once('error', reject)
        thread.once('exit', code => reject(new Error(`a worker ended with ${code}`)))
      })
    }),
  )
  const counts = Object.fromEntries(ways.map(name => [name, results.reduce((sum, r) => sum + r.counts[name], 0)]))
  const wrong = results.flatMap(result => result.wrong)
  const seconds = rounded((performance.now() - began) / 1000, 1)
  const rssMb = rounded(process.memoryUsage.rss() / 1e6, 0)
  if (values.json)
    console.log(JSON.stringify({ turns, workers, seed, seconds, rssMb, counts, wrong, machine: machine() }))
  else {
    console.log(`${turns} turns on ${workers} threads in ${seconds} s, ${rssMb} MB`)
    console.log(ways.map(name => `${name} ${counts[name]}`).join(', '))
    console.log(
      wrong.length === 0 ? 'nothing was wrong' : `${wrong.length} were wrong, such as\n${wrong.slice(0, 5).join('\n')}`,
    )
  }
  process.exitCode = wrong.length === 0 ? 0 : 1
}

if (isMainThread) await main()
else parentPort.postMessage(await work(workerData))
