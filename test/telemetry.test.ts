// What those who watch an application see of a turn: times, entries of the performance timeline, spans.

import { join } from 'node:path'
import { performance, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { trace } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import t from 'tap'
import { loadModel, readAudio, type Timings } from '../dist/lib/index.js'
import { root, TINY } from './helpers/model.js'

const exporter = new InMemorySpanExporter()
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))

const QUESTION = join(root, 'test', 'audio', 'questions')
const samples = Float32Array.from({ length: 12_000 }, (_, i) => 0.3 * Math.sin(i / 9) * Math.sin(i / 900))

/** The entries of the timeline while the work runs. */
async function entriesOf(work: () => Promise<unknown>): Promise<PerformanceEntry[]> {
  const entries: PerformanceEntry[] = []
  const observer = new PerformanceObserver(list => entries.push(...list.getEntries()))
  observer.observe({ entryTypes: ['measure'] })
  await work()
  await sleep(20) // observers are told later
  observer.disconnect()
  return entries.filter(entry => entry.name.startsWith('moss-speech.'))
}

const ordered = (...times: number[]): boolean => times.every((time, i) => time >= (times[i - 1] ?? 0))

t.test('times, entries and spans', async t => {
  const model = await loadModel(TINY, { threads: 1 })
  t.teardown(() => model.dispose())
  const session = model.createSession({ seed: 1 })
  t.beforeEach(() => {
    exporter.reset()
    session.reset()
  })

  t.test('the times of a turn are in order', async t => {
    const check = (times: Timings, spoken: boolean): void => {
      t.ok(times.readyMs > 0)
      t.equal(times.heardMs > 0, spoken)
      t.ok(
        ordered(times.heardMs, times.readyMs, times.firstTokenMs, times.firstAudioMs, times.totalMs),
        JSON.stringify(times),
      )
    }
    check((await session.generate({ speech: { samples, sampleRate: 16_000 } }, { vad: false }).result()).timings, true)
    session.reset()
    check((await session.generate({ text: 'seven' }, { output: 'text', maxTokens: 5 }).result()).timings, false)
  })

  t.test('an entry and a span for each turn', async t => {
    const entries = await entriesOf(async () => {
      await session.generate({ speech: { samples, sampleRate: 16_000 } }, { vad: false }).result()
      await session.speak('seven').result()
    })
    t.same(
      entries.map(entry => entry.name),
      ['moss-speech.generate', 'moss-speech.speak'],
    )
    const [first] = entries as (PerformanceEntry & { detail: Partial<Timings> & { outcome: string } })[]
    t.equal(first?.detail.outcome, 'finished')
    t.ok((first?.detail.firstAudioMs ?? 0) > 0)
    t.ok((first?.duration ?? 0) >= (first?.detail.totalMs ?? Infinity) - 1)
    t.same(performance.getEntriesByType('measure'), [], 'the timeline does not grow')
    const [span, other] = exporter.getFinishedSpans()
    t.equal(span?.name, 'moss-speech.generate')
    t.equal(other?.name, 'moss-speech.speak')
    t.same(
      span?.events.map(event => event.name),
      ['heard', 'prompt read', 'first token', 'first audio'],
    )
    t.equal(span?.attributes.outcome, 'finished')
    t.ok(Number(span?.attributes['moss-speech.totalMs']) > 0)
    const times = [span?.startTime, ...(span?.events.map(event => event.time) ?? []), span?.endTime]
    t.ok(ordered(...times.map(time => (time ? time[0] * 1000 + time[1] / 1e6 : NaN))), 'in order')
  })

  t.test('turns that are stopped or fail', async t => {
    const entries = await entriesOf(async () => {
      for await (const { audio } of session.speak('seven. eight. nine.')) if (audio) break
      await t.rejects(session.generate({ speech: new Float32Array(0) }).result())
    })
    t.same(
      entries.map(entry => (entry as PerformanceEntry & { detail: { outcome: string } }).detail.outcome),
      ['stopped'],
      'what fails has no entry',
    )
    const [stopped, failed] = exporter.getFinishedSpans()
    t.equal(stopped?.attributes.outcome, 'stopped')
    t.equal(failed?.attributes.outcome, 'failed')
    t.equal(failed?.status.code, 2)
    t.equal(failed?.events[0]?.name, 'exception')
  })

  t.test('turns of a live session begin where the speech ends', async t => {
    const nano = await loadModel('nano', { threads: 1 })
    const { samples: speech } = await readAudio(join(QUESTION, 'en-home-01.opus'))
    const live = nano.createSession({ seed: 1 }).listen({ turnDetection: 'manual' })
    live.write(speech)
    live.commit()
    live.end()
    let times
    for await (const event of live) if (event.type === 'replyEnd') times = event.timings
    await nano.dispose()
    const [span] = exporter.getFinishedSpans()
    t.equal(span?.name, 'moss-speech.turn')
    t.same(
      span?.events.map(event => event.name),
      ['decided', 'heard', 'prompt read', 'first token', 'first audio'],
    )
    t.equal(span?.attributes['moss-speech.answerMs'], times?.answerMs)
  })
})
