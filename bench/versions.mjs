/*
 * Compares the speed of this build with that of another build of this package, each in a process of its own, to find out whether a change
 * made something slower. Prints one JSON object.
 *
 *     node bench/versions.mjs --other ../before           # a built checkout of this package
 *     node bench/versions.mjs --other ../before --rounds 9 --threads 1
 *
 * Each round runs every task once with each build, one after the other. The first round is a warm-up. `ratio` is the other build's median
 * time divided by this build's, so above 1 this build is faster.
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createRequire } from 'node:module'
import { compare, inTurn, report, stopwatch, whole } from './harness.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const TEXT = 'Please turn on the lights in the kitchen, and tell me what the time is.'

/** The measured tasks. Each function takes a library and a loaded model, and returns the function whose time is measured. */
const WORKS = {
  async load(library, model, threads) {
    return async () => (await library.loadModel(undefined, { threads })).dispose()
  },
  async turn(library, model) {
    const { audio, sampleRate } = await model.createSession().speak(TEXT, { seed: 1 }).result()
    const session = model.createSession({ seed: 1 })
    return async () => {
      session.reset()
      await session.generate({ speech: { samples: audio, sampleRate } }, { seed: 1, maxSeconds: 15 }).result()
    }
  },
  async transcribe(library, model) {
    const { audio, sampleRate } = await model.createSession().speak(TEXT, { seed: 1 }).result()
    const session = model.createSession({ seed: 1 })
    return () => session.transcribe({ samples: audio, sampleRate })
  },
  async ask(library, model) {
    const session = model.createSession({ seed: 1 })
    return async () => {
      session.reset()
      await session.generate({ text: 'What is three plus four?' }, { output: 'text', seed: 1 }).result()
    }
  },
  async speak(library, model) {
    const session = model.createSession({ seed: 1 })
    return () => session.speak(TEXT, { seed: 1 }).result()
  },
}

/** Runs in the process of one build: waits for the name of a task, runs it and sends its time. */
async function serve(folder, threads) {
  const library = createRequire(import.meta.url)(folder)
  const model = await library.loadModel(undefined, { threads })
  const works = {}
  for (const [name, make] of Object.entries(WORKS)) works[name] = await make(library, model, threads)
  process.on('message', async name => {
    const elapsed = stopwatch()
    await works[name]()
    process.send(elapsed())
  })
  process.send('ready')
}

async function main() {
  const { values } = parseArgs({
    options: {
      other: { type: 'string' },
      rounds: { type: 'string', default: '7' },
      threads: { type: 'string', default: '1' },
    },
  })
  if (values.other === undefined) throw new RangeError('--other is required: the folder of the other build')
  const [rounds, threads] = [whole('rounds', values.rounds), whole('threads', values.threads)]
  const builds = { ours: root, other: resolve(values.other) }
  const processes = {}
  try {
    for (const [name, folder] of Object.entries(builds)) {
      processes[name] = fork(fileURLToPath(import.meta.url), ['--serve', folder, String(threads)])
      await once(processes[name], 'message')
    }
    const run = (name, work) => async () => {
      processes[name].send(work)
      const [time] = await once(processes[name], 'message')
      return time
    }
    const works = {}
    for (const work of Object.keys(WORKS)) {
      const times = await inTurn({ ours: run('ours', work), other: run('other', work) }, rounds)
      works[work] = compare(times, [['ours', 'other']])
    }
    report({ threads, rounds, works })
  } finally {
    for (const child of Object.values(processes)) child.kill()
  }
}

const [flag, folder, threads] = process.argv.slice(2)
await (flag === '--serve' ? serve(folder, Number(threads)) : main())
