// Live sessions with nano and real speech, and with composed parts.

import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { concat } from '../dist/lib/audio/concat.js'
import { convertSource } from '../dist/lib/convert/index.js'
import { TurnTaker, type TurnStep } from '../dist/lib/live/turn-taker.js'
import {
  loadModel,
  readAudio,
  type LiveEvent,
  type LiveOptions,
  type LiveSession,
  type Model,
} from '../dist/lib/index.js'
import { root } from './helpers/model.js'
import { say } from './helpers/tones.js'

const question = async (name: string): Promise<Float32Array> =>
  (await readAudio(join(root, 'test', 'audio', 'questions', name))).samples

const silence = (seconds: number): Float32Array => new Float32Array(seconds * 16_000)

let model: Model
let light: Float32Array
t.before(async () => {
  model = await loadModel()
  light = await question('en-home-00.opus')
})
t.teardown(() => model.dispose())

interface Told {
  types: string[]
  events: LiveEvent[]
  audio: Float32Array
  text: string
  units: string[]
}

async function all(live: LiveSession): Promise<Told> {
  const events: LiveEvent[] = []
  for await (const event of live) events.push(event)
  return toldBy(events)
}

function toldBy(events: LiveEvent[]): Told {
  return {
    events,
    types: events.map(event => event.type).filter(type => type !== 'audio' && type !== 'text' && type !== 'heard'),
    audio: concat(events.flatMap(event => (event.type === 'audio' ? [event.audio] : []))),
    text: events.flatMap(event => (event.type === 'text' ? [event.text] : [])).join(''),
    units: events.flatMap(event => (event.type === 'replyEnd' ? event.reply.units : [])),
  }
}

function writeIn(live: LiveSession, samples: Float32Array, piece: number): void {
  for (let i = 0; i < samples.length; i += piece) live.write(samples.subarray(i, i + piece))
}

async function until(
  live: AsyncIterator<LiveEvent>,
  type: LiveEvent['type'],
  seen: LiveEvent[] = [],
): Promise<LiveEvent> {
  for (let step = await live.next(); !step.done; step = await live.next()) {
    seen.push(step.value)
    if (step.value.type === type) return step.value
  }
  throw new Error(`the events ended without ${type}`)
}

t.test('a turn is answered like the whole recording, however the samples are written', async t => {
  const samples = concat([silence(0.5), light, silence(1)])
  await using session = model.createSession({ seed: 1 })
  const expected = await session.generate({ speech: samples }, { seed: 5 }).result()
  const length = session.length
  for (const turnDetection of ['manual', 'vad'] as const) {
    for (const piece of [1, 7, 160, 16_000, samples.length]) {
      session.reset()
      const live = session.listen({ turnDetection, seed: 5 })
      writeIn(live, samples, piece)
      if (turnDetection === 'manual') live.commit()
      live.end()
      const told = await all(live)
      t.same(told.types, ['speechStart', 'turnEnd', 'replyEnd'], `${turnDetection}, ${piece} samples at a time`)
      t.equal(told.text, expected.text)
      t.same(told.units, expected.units)
      t.equal(told.audio.length, expected.audio.length)
      t.ok(told.audio.every((sample, i) => Math.abs(sample - (expected.audio[i] ?? NaN)) <= 1e-4))
      t.equal(session.length, length, 'the turn is remembered')
    }
  }
})

t.test('auto ends a complete turn at once, and waits at a pause within one', async t => {
  const question = await readAudio(join(root, 'test', 'audio', 'questions', 'en-home-05.opus'))
  const whole = concat([silence(0.5), question.samples, silence(2.5)])
  const half = Math.round(question.samples.length * 0.4) // between two words
  const paused = concat([
    silence(0.5),
    question.samples.subarray(0, half),
    silence(0.8),
    question.samples.subarray(half),
    silence(2.5),
  ])
  await using session = model.createSession({ seed: 1 })
  const ends = async (samples: Float32Array, piece: number, options: LiveOptions = {}): Promise<string[]> => {
    session.reset()
    const live = session.listen({ output: 'text', maxTokens: 2, ...options })
    t.equal(live.turnDetection, options.turnDetection ?? 'auto')
    writeIn(live, samples, piece)
    live.end()
    const { events } = await all(live)
    return events.flatMap(event =>
      event.type === 'turnEnd' ? [`${event.reason} after ${Math.round((event.decided - event.time) * 1000)} ms`] : [],
    )
  }
  for (const piece of [160, 16_000, whole.length]) {
    t.same(await ends(whole, piece), ['complete after 224 ms'], `${piece} samples at a time`)
    t.same(await ends(paused, piece, { turnDetection: 'vad' }), ['silence after 608 ms', 'silence after 608 ms'])
    t.equal((await ends(paused, piece)).length, 1, 'the pause is shorter than what an incomplete turn waits')
  }
  t.match(
    await ends(whole, 160, { silence: 500, completeness: 1, completeAfter: 300 }),
    [/^silence after/],
    'nothing is certain',
  )
  t.same(await ends(paused, 160, { completeness: 0 }), ['complete after 224 ms', 'complete after 224 ms'])
  session.reset()
  const live = session.listen()
  writeIn(live, whole.subarray(0, Math.round(3.5 * 16_000)), 160)
  await live.close() // while it is asked, or before
  t.equal(session.length, 0)
})

t.test('integers and other rates', async t => {
  const samples = concat([silence(0.5), light, silence(1)])
  await using session = model.createSession({ seed: 1 })
  const integers = session.listen({ seed: 5 })
  writeIn2(
    integers,
    Int16Array.from(samples, sample => sample * 0x7fff),
  )
  integers.end()
  const expected = await all(integers)
  session.reset()
  const slow = session.listen({ seed: 5 })
  const doubled = new Float32Array(samples.length * 2)
  for (let i = 0; i < doubled.length; i++) doubled[i] = ((samples[i >> 1] ?? 0) + (samples[(i + 1) >> 1] ?? 0)) / 2
  for (let i = 0; i < doubled.length; i += 960)
    slow.write({ samples: doubled.subarray(i, i + 960), sampleRate: 32_000 })
  t.throws(() => slow.write(samples), { code: 'MOSS_INVALID_ARGUMENT', details: { option: 'sampleRate' } })
  slow.end()
  t.equal((await all(slow)).text, expected.text)
})

function writeIn2(live: LiveSession, samples: Int16Array): void {
  for (let i = 0; i < samples.length; i += 320) live.write(samples.subarray(i, i + 320))
}

t.test('a pause does not end a turn, silence does, and where nobody speaks there is no turn', async t => {
  await using session = model.createSession({ seed: 1 })
  const parts = [silence(0.5), light, light, silence(1.5)]
  const live = session.listen({ turnDetection: 'vad', silence: 1200 })
  writeIn(live, concat(parts), 320)
  live.end()
  const { types, events } = await all(live)
  t.same(types, ['speechStart', 'turnEnd', 'replyEnd'])
  const end = events.find(event => event.type === 'turnEnd')
  t.match(end, { reason: 'silence' })
  if (end?.type === 'turnEnd')
    t.ok(Math.abs(end.decided - end.time - 1.2) < 0.033, 'after the silence that was asked for')
  session.reset()
  const quiet = session.listen({ turnDetection: 'manual' })
  quiet.write(silence(3))
  quiet.commit()
  quiet.end()
  t.same((await all(quiet)).types, ['noSpeech'])
  t.equal(session.length, 0)
})

t.test('speech stops the reply, and only what was played is remembered', async t => {
  await using session = model.createSession({ seed: 1 })
  const live = session.listen({ seed: 5 })
  const events = live[Symbol.asyncIterator]()
  writeIn(live, concat([light, silence(0.7)]), 320)
  const before: LiveEvent[] = []
  await until(events, 'replyEnd', before)
  const whole = toldBy(before).text
  const seconds = toldBy(before).audio.length / model.info().sampleRate
  const length = session.length
  live.played(0.01) // the player has just begun
  live.played(seconds / 2)
  const lead = 0.3
  writeIn(live, concat([silence(lead), light, silence(0.7)]), 320)
  const after: LiveEvent[] = []
  const stopped = await until(events, 'interrupted', after)
  const started = await until(events, 'speechStart', after)
  t.match(stopped, { turn: 1 })
  if (stopped.type === 'interrupted' && started.type === 'speechStart') {
    t.ok(Math.abs(stopped.played - seconds / 2) < 0.01)
    t.ok(stopped.time - started.time <= 0.2, `after ${((stopped.time - started.time) * 1000).toFixed(0)} ms of speech`)
  }
  const kept = await until(events, 'shortened', after)
  if (kept.type === 'shortened') {
    t.ok(kept.text.length > 0 && kept.text.length < whole.length, `${kept.text} of ${whole}`)
    t.ok(whole.startsWith(kept.text))
  }
  t.ok(session.length < length)
  await until(events, 'replyEnd')
  live.end()
  t.equal((await events.next()).done, true)
  await live.finished
  // The conversation goes on.
  t.ok((await session.generate({ text: 'good morning' }).result()).audio.length > 0)
})

t.test('a user who goes on before the reply was heard goes on with the same turn', async t => {
  await using session = model.createSession({ seed: 1 })
  const live = session.listen({ seed: 5, silence: 200 })
  const events = live[Symbol.asyncIterator]()
  live.played(0)
  writeIn(live, concat([light, silence(0.4)]), 320)
  await until(events, 'audio')
  live.played(0)
  writeIn(live, concat([silence(0.2), light, silence(0.7)]), 320)
  const seen: LiveEvent[] = []
  await until(events, 'interrupted', seen)
  t.match(await until(events, 'shortened', seen), { turn: 1, text: '' })
  const end = await until(events, 'replyEnd', seen)
  t.match(end, { turn: 2 })
  if (end.type === 'replyEnd') t.ok(end.timings.inputSeconds > (1.5 * light.length) / 16_000, 'both parts were heard')
  await live.close()
})

t.test('without barge-in, a reply is not stopped by speech', async t => {
  await using session = model.createSession({ seed: 1 })
  const live = session.listen({ bargeIn: false })
  const events = live[Symbol.asyncIterator]()
  writeIn(live, concat([light, silence(0.7)]), 320)
  const seen: LiveEvent[] = []
  await until(events, 'turnEnd', seen)
  writeIn(live, light.subarray(0, 16_000), 320)
  await until(events, 'replyEnd', seen)
  t.notOk(seen.some(event => event.type === 'interrupted'))
  await live.close()
})

t.test('cancel, close, abort, dispose', async t => {
  await using session = model.createSession({ seed: 1 })
  const cancelled = session.listen()
  t.throws(() => session.listen(), { code: 'MOSS_SESSION_BUSY' })
  const events = cancelled[Symbol.asyncIterator]()
  writeIn(cancelled, light, 320)
  await until(events, 'speechStart')
  cancelled.cancel()
  t.match(await until(events, 'turnEnd'), { reason: 'cancel' })
  cancelled.end()
  t.equal((await events.next()).done, true)
  t.equal(session.length, 0)

  const left = session.listen()
  writeIn(left, concat([light, silence(1)]), 320)
  for await (const event of left) if (event.type === 'audio') break
  await left.finished
  t.throws(() => left.write(light), { code: 'MOSS_DISPOSED' })

  session.reset()
  const abort = new AbortController()
  const aborted = session.listen({ signal: abort.signal })
  writeIn(aborted, concat([light, silence(1)]), 320)
  const reading = all(aborted)
  await new Promise(resolve => setTimeout(resolve, 30))
  abort.abort(new Error('enough'))
  await t.rejects(reading, { code: 'MOSS_ABORTED' })
  await t.rejects(aborted.finished, { code: 'MOSS_ABORTED' })
  t.equal(session.length, 0)

  await t.rejects(all(session.listen({ signal: AbortSignal.abort() })), { code: 'MOSS_ABORTED' })

  const other = model.createSession()
  const live = other.listen()
  live.write(light)
  const ended = all(live)
  await other.dispose()
  await t.rejects(ended, { code: 'MOSS_DISPOSED' })
  t.throws(() => other.listen(), { code: 'MOSS_DISPOSED' })
})

t.test('misuse is refused', async t => {
  await using session = model.createSession()
  const wrong = (options: object): void => {
    t.throws(() => session.listen(options), { code: 'MOSS_INVALID_ARGUMENT' }, JSON.stringify(options))
  }
  for (const options of [
    { turnDetection: 'x' },
    { silence: 1 },
    { completeAfter: 1 },
    { completeness: 2 },
    { threshold: 1 },
    { vad: false },
    { maxTurn: 1e9 },
    { x: 1 },
  ])
    wrong(options)
  const live = session.listen()
  for (const audio of [
    undefined,
    [1],
    'x',
    { samples: [1] },
    { samples: light, sampleRate: 10 },
    { samples: light },
    Float32Array.of(0, NaN),
    Float32Array.of(99),
  ])
    t.throws(() => live.write(audio as Float32Array), { code: 'MOSS_INVALID_ARGUMENT' })
  t.throws(() => live.played(NaN), { code: 'MOSS_INVALID_ARGUMENT' })
  live.end()
  live.end()
  t.throws(() => live.write(light), { code: 'MOSS_DISPOSED' })
  t.throws(() => live.commit(), { code: 'MOSS_DISPOSED' })
  t.same((await all(live)).types, [])
  await t.rejects(all(live), { code: 'MOSS_NOT_KEPT' })
  await using voice = await loadModel(join(root, 'test', 'golden', 'lm-qwen3.gguf'))
  t.throws(() => voice.createSession().listen({ output: 'text' }), { code: 'MOSS_UNSUPPORTED' })
})

t.test('a pause is asked for when too much waits, and streams', async t => {
  await using session = model.createSession({ seed: 1 })
  const live = session.listen()
  t.equal(live.write(silence(10)), false)
  await once(live, 'drain')
  t.equal(live.write(silence(0.1)), true)
  await live.close()
  const piped = session.listen({ seed: 5 })
  const events: LiveEvent[] = []
  const reading = (async () => {
    for await (const event of piped.readable) events.push(event)
  })()
  const writer = piped.writable.getWriter()
  for (const part of [light, silence(1)]) await writer.write(part)
  await writer.close()
  await reading
  t.same(toldBy(events).types, ['speechStart', 'turnEnd', 'replyEnd'])
})

t.test('composed parts', async t => {
  const golden = (name: string): string => join(root, 'test', 'golden', name)
  const encoder = join(t.testdir(), 'tones.gguf')
  await convertSource(golden('tones'), encoder, 'f32', () => undefined)
  const { samples } = say(3, 3)
  await using composed = await loadModel({ encoder, lm: golden('lm-qwen3.gguf') })
  await using session = composed.createSession({ seed: 1 })
  const options = { output: 'text', temperature: 0, maxTokens: 8 } as const
  const expected = await session.generate({ speech: samples }, { ...options, vad: false }).result()
  session.reset()
  const live = session.listen({ ...options, turnDetection: 'manual', vad: false })
  writeIn(live, samples, 700)
  live.commit()
  live.end()
  const told = await all(live)
  t.same(told.types, ['speechStart', 'turnEnd', 'replyEnd'])
  t.equal(told.text, expected.text)
  session.reset()
  const detected = session.listen(options)
  t.equal(detected.turnDetection, 'vad', 'whether a turn is complete cannot be told')
  detected.write(silence(1)) // nano's network finds no speech in tones
  detected.end()
  t.same((await all(detected)).types, [])
})

t.test('turns follow from the probabilities of the windows', async t => {
  const rules = { window: 512, threshold: 0.4, pause: Infinity, silence: 512 * 3 }
  const steps = (
    probabilities: number[],
    most = Infinity,
    pause = Infinity,
    atPause?: (taker: TurnTaker) => TurnStep | undefined,
  ): string[] => {
    const taker = new TurnTaker({ ...rules, pause })
    return probabilities.flatMap(p => {
      let step = taker.push(p, 512 * 2, most)
      if (step?.type === 'pause') step = atPause?.(taker) ?? step
      return step ? [`${step.type} ${step.at / 512} at ${taker.position / 512}`] : []
    })
  }
  t.same(steps([0, 0.3, 0.5, 0.9, 0, 0, 0.25, 0, 0, 0]), ['start 1 at 3', 'end 7 at 10'])
  t.same(steps([0.9, 0, 0.9, 0, 0.3, 0.3, 0.3]), [], 'clicks and murmurs')
  t.same(steps([0.9, 0.9, 0.9, 0.9, 0.9, 0.9], 512 * 4), ['start 0 at 2', 'end 4 at 4', 'start 4 at 6'])
  const paused = [0.9, 0.9, 0, 0, 0.9, 0, 0, 0, 0, 0]
  t.same(
    steps(paused, Infinity, 512 * 2),
    ['start 0 at 2', 'pause 2 at 4', 'pause 5 at 7', 'end 5 at 8'],
    'each pause is told once',
  )
  t.same(
    steps(paused, Infinity, 512 * 2, taker => taker.complete()),
    ['start 0 at 2', 'end 2 at 4'],
    'the turn ends at a pause',
  )
  const longer = steps(paused, Infinity, 512 * 2, taker => void taker.wait(512 * 5))
  t.same(longer, ['start 0 at 2', 'pause 2 at 4', 'pause 5 at 7', 'end 5 at 10'], 'or only after a longer one')
})
