// Turns that are heard while the user speaks, by the two engines of sessions: the networks of one file, and those of several files.

import { join } from 'node:path'
import t from 'tap'
import { concat } from '../dist/lib/audio/concat.js'
import { convertSource } from '../dist/lib/convert/index.js'
import { load } from '../dist/lib/engine/compose.js'
import type { Answering, Engine, FedTurn } from '../dist/lib/engine/engine.js'
import type { ModelParts } from '../dist/lib/index.js'
import type { ReplyChunk } from '../dist/lib/index.js'
import { root, TINY } from './helpers/model.js'
import { say } from './helpers/tones.js'
import { sine } from './helpers/wav.js'

const ANSWERING: Answering = {
  output: 'both',
  seed: 5,
  maxSeconds: 1,
  maxTokens: 8,
  vad: false,
  phonemizer: 'auto',
  pronunciations: '',
}
const never = new AbortController().signal

async function withEngine(source: string | ModelParts, work: (engine: Engine) => Promise<void>): Promise<void> {
  const weights = await load(source, { threads: 1 })
  const engine = weights.open({ seed: 1 })
  try {
    await work(engine)
  } finally {
    engine.dispose()
    await weights.dispose()
  }
}

interface Whole {
  audio: Float32Array
  text: string
  units: string[]
}

async function whole(chunks: ReturnType<FedTurn['finish']>): Promise<Whole> {
  const parts: Float32Array[] = []
  let step = await chunks.next()
  for (; !step.done; step = await chunks.next()) {
    const { audio }: ReplyChunk = step.value
    if (audio) parts.push(audio)
  }
  return { audio: concat(parts), text: step.value.text, units: step.value.units }
}

async function feed(engine: Engine, samples: Float32Array, piece: number): Promise<FedTurn> {
  const turn = await engine.begin(ANSWERING, never)
  for (let i = 0; i < samples.length; i += piece) await turn.feed(samples.subarray(i, i + piece))
  return turn
}

t.test('a turn that is fed in pieces is answered like the whole recording', async t => {
  const samples = sine(4)
  await withEngine(TINY, async engine => {
    const expected = await whole(engine.generate({ speech: samples }, ANSWERING, never))
    const length = engine.length
    t.ok(expected.audio.length > 0 && expected.units.length > 0)
    for (const piece of [1000, 16_000, samples.length]) {
      engine.reset()
      const reply = await whole((await feed(engine, samples, piece)).finish())
      t.same(reply.units, expected.units, `${piece} samples at a time`)
      t.equal(reply.text, expected.text)
      t.equal(reply.audio.length, expected.audio.length)
      t.ok(reply.audio.every((sample, i) => Math.abs(sample - (expected.audio[i] ?? NaN)) <= 1e-4))
      t.equal(engine.length, length, 'the turn is in the context')
    }
  })
})

t.test('whether a turn is complete is asked without changing it', async t => {
  const samples = sine(2)
  await withEngine(join(root, 'models', 'nano.gguf'), async engine => {
    const expected = await whole((await feed(engine, samples, samples.length)).finish())
    engine.reset()
    const turn = await engine.begin(ANSWERING, never)
    t.equal(await turn.completeness?.(), 0, 'nothing was said')
    const told: (number | undefined)[] = []
    for (let i = 0; i < samples.length; i += 5000) {
      await turn.feed(samples.subarray(i, i + 5000))
      const probability = await turn.completeness?.()
      t.equal(await turn.completeness?.(), probability, 'the same again')
      told.push(probability)
    }
    t.ok(told.every(p => p !== undefined && p > 0 && p < 1))
    t.ok(new Set(told).size > 1)
    t.same(await whole(turn.finish()), expected)
  })
  await withEngine(TINY, async engine => {
    const turn = await feed(engine, samples, samples.length)
    await t.rejects(async () => turn.completeness?.(), { code: 'MOSS_UNSUPPORTED', details: { component: 'endpoint' } })
  })
})

t.test('a turn that is given up, fails or is aborted leaves no trace', async t => {
  const samples = sine(2)
  await withEngine(TINY, async engine => {
    const expected = await whole(engine.generate({ speech: samples }, ANSWERING, never))
    engine.reset()
    const again = async (what: string): Promise<void> => {
      t.equal(engine.length, 0, what)
      t.same(await whole(engine.generate({ speech: samples }, ANSWERING, never)), expected, what)
      engine.reset()
    }
    const begun = await feed(engine, samples, 8000)
    begun.abandon()
    await again('given up')
    await t.rejects(whole(begun.finish()), { code: 'MOSS_INVALID_ARGUMENT' }, 'and cannot be finished')

    const bad = await feed(engine, samples, 8000)
    await t.rejects(bad.feed(Float32Array.of(0, NaN)), { code: 'MOSS_INVALID_ARGUMENT', details: { index: 1 } })
    await t.rejects(bad.feed(samples), { code: 'MOSS_INVALID_ARGUMENT' })
    await again('not finite')

    const long = await engine.begin(ANSWERING, never)
    await t.rejects(long.feed(sine(100)), { code: 'MOSS_AUDIO_LENGTH' })
    await again('too long')

    await t.rejects(whole((await engine.begin(ANSWERING, never)).finish()), { code: 'MOSS_AUDIO_LENGTH' })
    await again('nothing was fed')

    const abort = new AbortController()
    const turn = await engine.begin(ANSWERING, abort.signal)
    const feeding = turn.feed(samples)
    abort.abort()
    await t.rejects(feeding, { code: 'MOSS_ABORTED' })
    await t.rejects(turn.feed(samples), { code: 'MOSS_ABORTED' })
    await again('aborted while it was fed')

    const stop = new AbortController()
    const answered = await engine.begin(ANSWERING, stop.signal)
    await answered.feed(samples)
    const reply = answered.finish()
    await reply.next()
    stop.abort()
    await t.rejects(whole(reply), { code: 'MOSS_ABORTED' })
    await again('aborted while it was answered')

    await feed(engine, samples, 8000)
    await engine.transcribe(samples, { temperature: 0 }, undefined)
    await again('another task of the engine came before the end')
    const first = await feed(engine, samples, 8000)
    const second = await engine.begin(ANSWERING, never)
    await t.rejects(first.feed(samples), { code: 'MOSS_INVALID_ARGUMENT' })
    await t.rejects(whole(first.finish()), { code: 'MOSS_INVALID_ARGUMENT' })
    first.abandon()
    await second.feed(samples)
    t.same(await whole(second.finish()), expected, 'an older turn has no effect on a newer one')
    engine.reset()
    await t.rejects(engine.begin({ ...ANSWERING, voice: 99 }, never), { code: 'MOSS_INVALID_ARGUMENT' })
    await again('refused')
  })
})

t.test('a model without an encoder refuses to begin a turn', async t => {
  await withEngine(join(root, 'test', 'golden', 'lm-qwen3.gguf'), async engine => {
    await t.rejects(engine.begin({ ...ANSWERING, output: 'text' }, never), { code: 'MOSS_UNSUPPORTED' })
  })
})

t.test('a model that cannot answer says so before it reads the speech', async t => {
  await withEngine(join(root, 'test', 'golden', 'wav2vec2', 'base.gguf'), async engine => {
    const reply = engine.generate({ speech: 'no-such-file.wav' }, ANSWERING, never)
    await t.rejects(reply.next(), { code: 'MOSS_UNSUPPORTED' })
  })
})

t.test('composed parts', async t => {
  const golden = (name: string): string => join(root, 'test', 'golden', name)
  const encoder = join(t.testdir(), 'tones.gguf')
  await convertSource(golden('tones'), encoder, 'f32', () => undefined)
  const { samples } = say(3, 3)
  const parts = { encoder, lm: golden('lm-qwen3.gguf') }
  await withEngine(parts, async engine => {
    const answering: Answering = { ...ANSWERING, output: 'text', temperature: 0 }
    const expected = await whole(engine.generate({ speech: samples }, answering, never))
    engine.reset()
    const turn = await engine.begin(answering, never)
    for (let i = 0; i < samples.length; i += 4000) await turn.feed(samples.subarray(i, i + 4000))
    t.same(await whole(turn.finish()), expected)
    const length = engine.length
    const other = await engine.begin(answering, never)
    await other.feed(samples)
    other.abandon()
    await t.rejects(whole(other.finish()), { code: 'MOSS_AUDIO_LENGTH' })
    t.equal(engine.length, length)
  })
})
