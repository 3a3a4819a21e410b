// Echo cancellation: conversations in a simulated room, in which the reply is heard by the microphone.

import { join } from 'node:path'
import t from 'tap'
import { converse, randomNumbers, Room, type Outcome } from '../dist/bench/room.js'
import { EchoCanceller } from '../dist/lib/audio/echo-canceller.js'
import { loadModel, readAudio, type Model } from '../dist/lib/index.js'
import { root } from './helpers/model.js'

const question = async (name: string): Promise<Float32Array> =>
  (await readAudio(join(root, 'test', 'audio', 'questions', name))).samples

let model: Model
let questions: Float32Array[]
t.before(async () => {
  model = await loadModel()
  questions = await Promise.all(['en-home-00.opus', 'zh-home-15.opus', 'en-home-05.opus'].map(question))
})
t.teardown(() => model.dispose())

async function talked(turns: number, interrupts: boolean, echoCancellation: boolean): Promise<Outcome> {
  const options = { seed: 3, level: -10, delay: 0.12, reverberation: 0.3 }
  const room = await Room.open(model.info().sampleRate, options)
  await using session = model.createSession({ seed: 1 })
  return await converse(session, room, { turns, questions, interrupts, echoCancellation })
}

t.test('a reply does not interrupt itself, and is interrupted by the user', async t => {
  t.match(await talked(2, false, true), { replies: 2, selfInterruptions: 0 })
  const { interruptions, caught, latencies } = await talked(2, true, true)
  t.equal(interruptions, 2)
  t.equal(caught, 2)
  t.ok(
    latencies.every(ms => ms < 800),
    `after ${latencies.map(Math.round).join(' and ')} ms`,
  )
})

t.test('without cancellation it does', async t => {
  const { selfInterruptions } = await talked(1, false, false)
  t.ok(selfInterruptions > 0)
})

t.test('the canceller keeps the voice and its length, removes the echo, and leaves the process alone', async t => {
  const listeners = process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection')
  const random = randomNumbers(1)
  const noise = Float32Array.from({ length: 4 * 16_000 }, () => 0.4 * random() - 0.2)
  const delay = 1600
  const canceller = new EchoCanceller()
  canceller.play(noise, 16_000, 0)
  const parts: number[] = []
  for (let i = 0; i < noise.length; i += 333) {
    const block = Float32Array.from(
      { length: Math.min(333, noise.length - i) },
      (_, k) => 0.3 * (noise[i + k - delay] ?? 0),
    )
    parts.push(...(await canceller.cancel(block)))
  }
  parts.push(...canceller.finish())
  t.equal(parts.length, noise.length)
  const power = (samples: ArrayLike<number>): number =>
    Array.from(samples).reduce((sum, sample) => sum + sample * sample, 0) / samples.length
  const left = power(parts.slice(-16_000)) / (0.09 * power(noise.slice(-16_000)))
  t.ok(left < 0.01, `${(10 * Math.log10(left)).toFixed(0)} dB are left of the echo`)
  canceller.close()

  const silent = new EchoCanceller()
  const [voice = new Float32Array(0)] = questions
  const heard = await silent.cancel(voice)
  t.ok(Math.abs(power(heard) / power(voice) - 1) < 0.3, 'what is no echo is kept')
  t.equal(process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection'), listeners)
})

t.test('misuse is refused', async t => {
  await using session = model.createSession()
  const without = session.listen()
  t.throws(() => without.playing(new Float32Array(10)), { code: 'MOSS_INVALID_ARGUMENT' })
  await without.close()
  const live = session.listen({ echoCancellation: true })
  t.throws(() => live.playing([1] as never), { code: 'MOSS_INVALID_ARGUMENT' })
  t.throws(() => live.playing(Float32Array.of(NaN)), { code: 'MOSS_INVALID_ARGUMENT' })
  live.playing({ samples: new Int16Array(10), sampleRate: 8000 })
  await live.close()
  t.throws(() => session.listen({ echoCancellation: 1 as never }), { code: 'MOSS_INVALID_ARGUMENT' })
})
