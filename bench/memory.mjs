/*
 * Measures whether memory grows if sessions and models are not disposed of: the resident memory of a process that makes
 * them and drops them, each after a short turn, with its event loop running. V8 decides when they are collected.
 *
 *     node bench/memory.mjs                                            # nano: 1,000 sessions of one model, then 40 models
 *     node bench/memory.mjs --sessions 200 --models 10 --threads 1
 *     node bench/memory.mjs --json --plot docs/memory.svg > memory.json
 *     node bench/memory.mjs --gc                                       # collects garbage after each: what remains is
 *     still referenced
 *     MALLOC_MMAP_THRESHOLD_=1048576 node bench/memory.mjs             # glibc returns blocks of 1 MB and more to the
 *     system at once
 *
 * The first tenth is warm-up. `growthMb` is the median of the last tenth of the rest minus that of its first tenth.
 */
import { writeFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { loadModel } from 'moss-speech-native'
import { median, report, rounded, whole } from './harness.mjs'
import { memoryPlot } from './plot.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    sessions: { type: 'string', default: '1000' },
    models: { type: 'string', default: '40' },
    threads: { type: 'string', default: '2' },
    gc: { type: 'boolean' },
    plot: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
})
if (values.help) {
  console.log(`usage: node bench/memory.mjs [options]
  --model FILE  which can hear and speak (nano)
  --sessions N  made and dropped, 10 or more (1000)
  --models N    loaded and dropped, 10 or more (40)
  --threads N   of a model (2)
  --gc          collects garbage after each
  --plot FILE   writes a picture (.svg)
  --json        prints one JSON object with all samples`)
  process.exit()
}
const counts = { sessions: whole('sessions', values.sessions, 10), models: whole('models', values.models, 10) }
const options = { threads: whole('threads', values.threads) }
setFlagsFromString('--expose-gc')
const collect = values.gc ? runInNewContext('gc') : () => undefined

const samples = Float32Array.from({ length: 16_000 }, (_, i) => Math.sin(i / 20) / 5)
const turn = session =>
  session
    .generate({ speech: { samples, sampleRate: 16_000 } }, { seed: 1, maxSeconds: 0.5, maxTokens: 8, vad: false })
    .result()

/** Resident memory in MB after each of `count` objects that `make` makes, uses and drops. */
async function drops(count, make) {
  const rss = []
  for (let i = 0; i < count; i++) {
    await make()
    collect()
    await setImmediate() // the event loop calls finalizers
    rss.push(rounded(process.memoryUsage.rss() / 1e6, 1))
  }
  return rss
}

async function sessions() {
  const model = await loadModel(values.model, options)
  return drops(counts.sessions, () => turn(model.createSession()))
}

const models = () => drops(counts.models, async () => turn((await loadModel(values.model, options)).createSession()))

function summary(rss) {
  const steady = rss.slice(Math.ceil(rss.length / 10))
  const tenth = Math.ceil(steady.length / 10)
  const [first, last] = [median(steady.slice(0, tenth)), median(steady.slice(-tenth))]
  const [firstMb, lastMb, growthMb, peakMb] = [first, last, last - first, Math.max(...rss)].map(mb => rounded(mb, 1))
  return { firstMb, lastMb, growthMb, peakMb }
}

const beforeMb = rounded(process.memoryUsage.rss() / 1e6, 1)
const series = []
for (const [name, measure] of Object.entries({ sessions, models })) {
  const rss = await measure()
  series.push({ name, ...summary(rss), rss })
}
if (values.plot)
  writeFileSync(values.plot, memoryPlot(series.map(s => ({ ...s, label: `${s.name} made and dropped` }))))
if (values.json) {
  report({ ...options, gc: values.gc === true, beforeMb, series })
} else {
  console.log(`${beforeMb} MB at first`)
  for (const { name, firstMb, lastMb, growthMb, peakMb, rss } of series)
    console.log(
      `${rss.length} ${name}: ${firstMb} MB, in the end ${lastMb} MB (${growthMb < 0 ? '' : '+'}${growthMb}), ${peakMb} MB at most`,
    )
}
