/*
 * Measures how long this package blocks the event loop: its delay while models are loaded, text is spoken, turns are
 * answered and speech is transcribed, with as many threads as there are cores. Prints one JSON object.
 *
 *     node bench/event-loop.mjs                                    # nano, 2 threads
 *     node bench/event-loop.mjs --threads 4 --rounds 10 --phases speak,generate
 *     node bench/event-loop.mjs --encoder wav2vec2.gguf --lm qwen3.gguf --voice joe.gguf
 *
 * The phase `cascade` answers speech with a composed model: the given parts, by default nano's encoder and voice with
 * the tiny language model of test/golden, whose answers are many lines of random text.
 *
 * `ours` is the event loop of this process. `bystander` is that of a Node process that runs at the same time and does
 * nothing but measure: its delay is that of the system's scheduler, so the difference is what this package's own
 * JavaScript adds. All values are in milliseconds, for a timer that is due every millisecond. Times on a shared machine
 * are noisy: compare with `idle` and `bystander`.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const MS = 1e6

/** Measures the event loop of this process from start() to stop(). */
class Loop {
  #histogram = monitorEventLoopDelay({ resolution: 1 })
  start() {
    this.#histogram.reset()
    this.#histogram.enable()
  }
  stop() {
    this.#histogram.disable()
    const h = this.#histogram
    const at = p => h.percentile(p) / MS
    return { p50: at(50), p99: at(99), p999: at(99.9), max: h.max / MS, ticks: h.count }
  }
}

if (process.argv[2] === 'bystander') bystander()
else await main()

function bystander() {
  const loop = new Loop()
  process.on('message', message => {
    if (message === 'start') loop.start()
    process.send(message === 'start' ? 'started' : loop.stop())
  })
}

async function main() {
  const { loadModel } = await import('moss-speech-native')
  const { choices, report, rounded, whole } = await import('./harness.mjs')
  const PHASES = ['idle', 'load', 'speak', 'generate', 'transcribe', 'cascade', 'speak+load']
  const { values } = parseArgs({
    options: {
      model: { type: 'string' },
      encoder: { type: 'string' },
      lm: { type: 'string' },
      voice: { type: 'string' },
      threads: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '5' },
      phases: { type: 'string', default: PHASES.join(',') },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) {
    console.log(`usage: node bench/event-loop.mjs [--model FILE | --encoder FILE --lm FILE --voice FILE]
  --threads N   of a model (2)
  --rounds N    of each phase (5)
  --phases …    some of ${PHASES.join(',')}`)
    return
  }
  const rounds = whole('rounds', values.rounds)
  const phases = choices('phases', values.phases, PHASES)
  const options = { threads: whole('threads', values.threads) }
  const parts = Object.fromEntries(['encoder', 'lm', 'voice'].flatMap(n => (values[n] ? [[n, values[n]]] : [])))
  const source = Object.keys(parts).length > 0 ? parts : values.model

  const other = fork(import.meta.filename, ['bystander'])
  const ask = async message => {
    other.send(message)
    return (await once(other, 'message'))[0]
  }
  const pauses = []
  new PerformanceObserver(list => pauses.push(...list.getEntries())).observe({ entryTypes: ['gc'] })

  const model = await loadModel(source, options)
  const session = model.createSession({ seed: 1 })
  const tiny = fileURLToPath(new URL('../test/golden/lm-qwen3.gguf', import.meta.url))
  const composed =
    phases.includes('cascade') && (await loadModel({ encoder: 'nano', lm: tiny, voice: 'nano', ...parts }, options))
  const conversation = composed && composed.createSession({ seed: 1 })
  const TEXT = 'The lights in the kitchen are on now, and the music is off. 客厅的灯已经打开了，音乐关了。 '
  const said = await session.speak(TEXT, { seed: 1 }).result()
  const speech = { samples: said.audio.subarray(0, said.sampleRate * 5), sampleRate: said.sampleRate }
  const load = async () => {
    const m = await loadModel(source, options)
    await m.dispose()
  }
  const work = {
    idle: () => sleep(1000),
    load: async () => {
      for (let i = 0; i < 3; i++) await load()
    },
    speak: () => session.speak(TEXT.repeat(2), { seed: 1 }).result(),
    generate: async () => {
      session.reset()
      await session.generate({ speech }, { seed: 1, maxSeconds: 10 }).result()
    },
    transcribe: () => session.transcribe(speech),
    cascade: async () => {
      conversation.reset()
      await conversation.generate({ speech }, { seed: 1, temperature: 0, maxTokens: 200 }).result()
    },
    'speak+load': async () => {
      let speaking = true
      const spoken = session.speak(TEXT.repeat(2), { seed: 1 }).result()
      spoken.finally(() => (speaking = false)).catch(() => undefined)
      while (speaking) await load()
      await spoken
    },
  }
  const results = Object.fromEntries(phases.map(name => [name, []]))
  const loop = new Loop()
  for (let round = 0; round <= rounds; round++) {
    for (const name of phases) {
      await ask('start')
      pauses.length = 0
      loop.start()
      const began = performance.now()
      await work[name]()
      const ms = performance.now() - began
      const ours = loop.stop()
      const bystander = await ask('stop')
      await sleep(0)
      const gc = Math.max(0, ...pauses.map(p => p.duration))
      if (round > 0) results[name].push({ ms, ours, bystander, gc })
    }
  }
  other.disconnect()
  await model.dispose()
  if (composed) await composed.dispose()
  const worst = (all, pick) => rounded(Math.max(...all.map(pick)), 1)
  const mid = (all, pick) => rounded(all.map(pick).toSorted((a, b) => a - b)[all.length >> 1], 1)
  const summary = Object.fromEntries(
    phases.map(name => {
      const all = results[name]
      const of = who => ({
        p50: mid(all, r => r[who].p50),
        p99: mid(all, r => r[who].p99),
        max: worst(all, r => r[who].max),
      })
      return [
        name,
        { ms: mid(all, r => r.ms), ours: of('ours'), bystander: of('bystander'), gc: worst(all, r => r.gc) },
      ]
    }),
  )
  report({ model: model.info().name, ...options, rounds, phases: summary })
}
