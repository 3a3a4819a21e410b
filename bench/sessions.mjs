/*
 * How many people nano can talk with at once: live sessions of one model in real time. Each person says a recorded
 * question as fast as it was said, listens to the reply as long as it lasts, and goes on with the next question.
 *
 *     node bench/sessions.mjs                                             # 1, 2, 4, 8, 12 and 16 sessions, 30 s each
 *     node bench/sessions.mjs --counts 8 --seconds 60 --threads 2 --json
 *     node bench/sessions.mjs --plot docs/sessions.svg
 *     node bench/sessions.mjs --counts 4 --seconds 1800 --soak docs/soak.svg    # resident memory over the time, every 10 s
 *
 * `first audio` is the time from commit() to the first audio, `late` the share of the audio chunks that come later than
 * a player needs them that began with the first one, `event loop` the delay of a timer that is due every 10 ms. Both are
 * also what the system's scheduler adds on a busy machine.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { clearInterval, setInterval } from 'node:timers'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { loadModel, readAudio } from 'moss-speech-native'
import { machine, median, report, rounded, whole, wholes } from './harness.mjs'
import { memoryPlot, sessionsPlot } from './plot.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    counts: { type: 'string', default: '1,2,4,8,12,16' },
    seconds: { type: 'string', default: '30' },
    threads: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
    plot: { type: 'string' },
    soak: { type: 'string' },
  },
})
const counts = wholes('counts', values.counts)
const duration = 1000 * whole('seconds', values.seconds)
const threads = whole('threads', values.threads)
const PIECE = 320 // samples of a write: 20 ms
const MOST_TURNS = 8 // of a conversation, before it begins again

const folder = new URL('../test/audio/questions/', import.meta.url)
const questions = await Promise.all(
  readdirSync(folder)
    .filter(name => name.endsWith('.opus'))
    .map(async name => (await readAudio(new URL(name, folder))).samples),
)

/** Writes samples as fast as they were recorded, and returns when the last one was due. */
async function say(live, samples) {
  const start = performance.now()
  for (let i = 0; i < samples.length; i += PIECE) {
    await sleep(Math.max(0, start + (i + PIECE) / 16 - performance.now()))
    live.write(samples.subarray(i, i + PIECE))
  }
}

/** Listens to a reply while it is generated and played; adds what was measured to `to`. */
async function hear(events, committed, to) {
  let first
  for (;;) {
    const { value: event, done } = await events.next()
    if (done) throw new Error('the live session has ended')
    if (event.type === 'audio') {
      const now = performance.now()
      if (first === undefined) to.firstMs.push(now - committed)
      first ??= now
      to.chunks++
      if (now > first + 1000 * event.start) to.late++
    }
    if (event.type !== 'replyEnd') continue
    const { replySeconds } = event.timings
    const end = (first ?? performance.now()) + 1000 * replySeconds
    to.replySeconds += replySeconds
    return sleep(Math.max(0, end - performance.now()))
  }
}

/** A conversation until `end`, which begins with question number `next`. */
async function converse(model, next, end, to) {
  await sleep((next * 397) % 2000) // people do not begin at the same time
  const session = model.createSession({ seed: next })
  for (let turn = 0; performance.now() < end; turn = (turn + 1) % MOST_TURNS) {
    if (turn === 0) session.reset()
    const live = session.listen({ turnDetection: 'manual' })
    const events = live[Symbol.asyncIterator]()
    const question = questions[next++ % questions.length]
    await say(live, question)
    const committed = performance.now()
    live.commit()
    live.end()
    await hear(events, committed, to)
    await live.finished
    to.questionSeconds += question.length / 16_000
    to.turns++
  }
  await session.dispose()
}

const rss = () => rounded(process.memoryUsage.rss() / 1e6, 0)

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]

async function measure(model, count, duration) {
  const to = { firstMs: [], chunks: 0, late: 0, turns: 0, questionSeconds: 0, replySeconds: 0 }
  const loop = monitorEventLoopDelay({ resolution: 10 })
  const cpu = process.cpuUsage()
  const began = performance.now()
  loop.enable()
  const memory = []
  const sampling = setInterval(() => memory.push(rss()), 10_000)
  await Promise.all(Array.from({ length: count }, (_, i) => converse(model, i, began + duration, to)))
  loop.disable()
  clearInterval(sampling)
  const { user, system } = process.cpuUsage(cpu)
  const elapsed = performance.now() - began
  const sorted = to.firstMs.sort((a, b) => a - b)
  return {
    sessions: count,
    turns: to.turns,
    firstAudioMs: { median: rounded(at(sorted, 0.5), 1), p95: rounded(at(sorted, 0.95), 1) },
    late: rounded(to.late / to.chunks, 4),
    eventLoopP99Ms: rounded(loop.percentile(99) / 1e6 - 10, 1),
    cores: rounded((user + system) / 1000 / elapsed, 2),
    speechSecondsASecond: rounded((to.questionSeconds + to.replySeconds) / (elapsed / 1000), 2),
    rssMb: rss(),
    memory,
  }
}

const model = await loadModel(values.model, { threads })
await measure(model, 1, 3000) // warms up
const rows = []
for (const count of counts) {
  rows.push(await measure(model, count, duration))
  if (!values.json) console.error(JSON.stringify(rows.at(-1)))
}
await model.dispose()
if (values.plot) writeFileSync(values.plot, sessionsPlot(rows))
if (values.soak) {
  const { memory } = rows.at(-1)
  writeFileSync(values.soak, memoryPlot([{ label: 'tens of seconds', rss: memory }]))
  const tenth = Math.ceil(memory.length / 10)
  const [first, last] = [memory.slice(tenth, 2 * tenth), memory.slice(-tenth)].map(median)
  console.log(
    `resident memory: ${first} MB after a tenth of the time, ${last} MB in the last tenth, ${Math.max(...memory)} MB at most`,
  )
}
if (values.json) report({ threads, seconds: duration / 1000, rows })
else {
  const { cpu, cores, loadAverage } = machine()
  console.log(`nano, ${threads} threads, ${cpu}, ${cores} cores, load average ${loadAverage}\n`)
  console.log('| sessions | turns | first audio, median | p95 | late | event loop, p99 | cores in use | RSS |')
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |')
  for (const { sessions, turns, firstAudioMs, late, eventLoopP99Ms, cores: used, rssMb } of rows)
    console.log(
      `| ${sessions} | ${turns} | ${firstAudioMs.median} ms | ${firstAudioMs.p95} ms | ${rounded(100 * late, 2)} % | ${eventLoopP99Ms} ms | ${used} | ${rssMb} MB |`,
    )
}
