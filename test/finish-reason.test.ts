// The reason why a reply ended, in the reply and in its last chunk, for every kind of model.

import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  loadModel,
  type FinishReason,
  type GenerateOptions,
  type LoadOptions,
  type ModelParts,
  type Prompt,
  type ReplyChunk,
  type Session,
} from '../dist/lib/index.js'
import { loadAddon, type NativeChunk } from '../dist/lib/binding.js'
import { root, TINY } from './helpers/model.js'

const golden = (name: string): string => join(root, 'test', 'golden', name)
const LM = golden('lm-qwen3.gguf')
const VOICE = golden('voice-stochastic.gguf')

async function withSession(
  source: string | ModelParts | undefined,
  options: LoadOptions,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const model = await loadModel(source, { threads: 2, ...options })
  try {
    await work(model.createSession({ seed: 1 }))
  } finally {
    await model.dispose()
  }
}

/** The finish reason of the result. The last chunk must have the same one, and no other chunk may have any. */
async function reasonOf(t: Test, session: Session, prompt: Prompt, options: GenerateOptions): Promise<FinishReason> {
  const stream = session.generate(prompt, options)
  const chunks: ReplyChunk[] = []
  for await (const chunk of stream) chunks.push(chunk)
  const { finishReason } = await stream.result()
  const said = chunks.map(chunk => chunk.finishReason)
  t.same(said, [...said.slice(0, -1).fill(undefined), finishReason], 'the last chunk alone says it')
  return finishReason
}

t.test('a reply of nano ends by itself, or is cut', async t => {
  await withSession(undefined, {}, async session => {
    const cases: [GenerateOptions, FinishReason][] = [
      [{}, 'stop'],
      [{ output: 'text' }, 'stop'],
      [{ maxSeconds: 0.3 }, 'maxSeconds'],
      [{ maxSeconds: 0.3, output: 'speech' }, 'maxSeconds'],
      [{ maxSeconds: 0.3, maxTokens: 1 }, 'maxSeconds'],
      [{ maxSeconds: 0.3, output: 'text' }, 'stop'],
      [{ maxTokens: 2, output: 'text' }, 'maxTokens'],
      [{ maxTokens: 2 }, 'maxTokens'],
      // The text is not delivered, so that cutting it does not count.
      [{ maxTokens: 2, output: 'speech' }, 'stop'],
    ]
    for (const [options, reason] of cases) {
      session.reset()
      const found = await reasonOf(t, session, { text: 'seven' }, { temperature: 0, ...options })
      t.equal(found, reason, JSON.stringify(options))
    }
    const { finishReason } = await session.speak('Hello there.').result()
    t.equal(finishReason, 'stop', 'what is read aloud is read to its end')
  })
})

t.test('a reply of just the longest length is not cut', async t => {
  await withSession(undefined, {}, async session => {
    const whole = await session.generate({ text: 'seven' }, { seed: 3, output: 'speech' }).result()
    session.reset()
    const seconds = whole.seconds + 1e-6
    const again = await session.generate({ text: 'seven' }, { seed: 3, output: 'speech', maxSeconds: seconds }).result()
    t.same(again.audio, whole.audio)
    t.equal(again.finishReason, 'stop')
  })
})

t.test('the context has an end', async t => {
  // With random weights, a reply goes on until it is cut.
  await withSession(TINY, { contextLength: 64 }, async session => {
    for (const output of ['both', 'text'] as const) {
      session.reset()
      const long = { output, maxSeconds: 60, maxTokens: 1000, temperature: 2 }
      t.equal(await reasonOf(t, session, { text: 'seven' }, long), 'contextLength', output)
    }
  })
  await withSession(LM, { contextLength: 128 }, async session => {
    const long = { maxTokens: 1000, temperature: 0 }
    t.equal(await reasonOf(t, session, { text: 'seven' }, long), 'contextLength')
  })
})

t.test('language models and cascades', async t => {
  await withSession(LM, {}, async session => {
    t.equal(await reasonOf(t, session, { text: 'one' }, { temperature: 0, maxTokens: 3 }), 'maxTokens')
  })
  // Random weights hardly ever end a reply, so the first token of the reply is declared an end token.
  const model = await loadAddon().loadModel(LM, { threads: 2 })
  const lastOf = async (stopIds: Int32Array): Promise<NativeChunk[]> => {
    const request = { textIds: Int32Array.of(1, 2), stopIds, output: 'text', temperature: 0, maxTokens: 4 } as const
    const stream = model.createSession({ seed: 1 }).generate(request)
    const chunks: NativeChunk[] = []
    do chunks.push(await stream.next())
    while (!chunks.at(-1)?.done)
    return chunks
  }
  const written = await lastOf(Int32Array.of())
  t.equal(written.at(-1)?.finishReason, 'maxTokens')
  const ids = written.flatMap(({ textIds }) => Array.from(textIds ?? []))
  t.match(await lastOf(Int32Array.of(ids[0] ?? -1)), [{ finishReason: 'stop', done: true }])
  model.dispose()
  await withSession({ lm: LM, voice: VOICE }, { contextLength: 512 }, async session => {
    const steady = { noiseScale: 0, noiseW: 0, lengthScale: 10, temperature: 0, maxTokens: 60 }
    const cases: [GenerateOptions, FinishReason][] = [
      [{}, 'maxTokens'],
      [{ output: 'speech' }, 'maxTokens'],
      [{ output: 'text' }, 'maxTokens'],
      [{ maxSeconds: 0.1, maxTokens: 400 }, 'maxSeconds'],
    ]
    for (const [options, reason] of cases) {
      session.reset()
      t.equal(
        await reasonOf(t, session, { text: 'one two' }, { ...steady, ...options }),
        reason,
        JSON.stringify(options),
      )
    }
  })
})

t.test('a loop that is left at the last chunk has completed the turn', async t => {
  for (const source of [TINY, LM, { lm: LM, voice: VOICE }]) {
    await withSession(source, { contextLength: 512 }, async session => {
      const options = { temperature: 0, maxTokens: 8, maxSeconds: 0.5 }
      const second = async (first: () => Promise<void>): Promise<string> => {
        session.reset()
        await first()
        return (await session.generate({ text: 'two' }, { ...options, output: 'text' }).result()).text
      }
      const left = await second(async () => {
        for await (const { finishReason } of session.generate({ text: 'one' }, options)) if (finishReason) break
      })
      const heardOut = await second(async () => void (await session.generate({ text: 'one' }, options).result()))
      const alone = await second(() => Promise.resolve())
      t.equal(left, heardOut, 'it is remembered')
      t.not(heardOut, alone, 'and has its part in the next')
    })
  }
})
