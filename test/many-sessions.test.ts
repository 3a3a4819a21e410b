// Many conversations of one model at once: their steps are taken together, and none notices the others.

import { join } from 'node:path'
import t from 'tap'
import { loadModel, OutOfMemoryError, type Session } from '../dist/lib/index.js'
import { root } from './helpers/model.js'

const QWEN3 = join(root, 'test', 'golden', 'lm-qwen3.gguf')
const QUESTIONS = Array.from({ length: 6 }, (_, i) => `${'seven and '.repeat(i)}eleven?`)

/** The texts of two turns. */
async function converse(session: Session, question: string): Promise<string[]> {
  const texts = []
  for (const text of [question, 'and you?']) {
    const { text: reply } = await session
      .generate({ text }, { output: 'text', maxTokens: 40, temperature: 0.9 })
      .result()
    texts.push(reply)
  }
  return texts
}

t.test('sessions at once reply as each does alone', async t => {
  for (const kvCacheType of ['f32', 'f16', 'q8_0'] as const) {
    await using model = await loadModel(QWEN3, { threads: 2, contextLength: 512, kvCacheType })
    const alone = []
    for (const [seed, question] of QUESTIONS.entries())
      alone.push(await converse(model.createSession({ seed }), question))
    const together = await Promise.all(
      QUESTIONS.map((question, seed) => converse(model.createSession({ seed }), question)),
    )
    t.same(together, alone, kvCacheType)
    t.ok(alone.flat().join('').length > 0)
  }
})

t.test('a session that is stopped does not touch the others', async t => {
  await using model = await loadModel(QWEN3, { threads: 2, contextLength: 512 })
  const [first = '', second = ''] = QUESTIONS
  const alone = await converse(model.createSession({ seed: 1 }), first)
  const stopped = model.createSession({ seed: 2 })
  const replies = converse(model.createSession({ seed: 1 }), first)
  let tokens = 0
  for await (const _ of stopped.generate({ text: second }, { output: 'text', maxTokens: 200 }))
    if (++tokens === 5) break
  t.equal(stopped.length, 0, 'its turn is not kept')
  t.same(await replies, alone)
})

t.test('the memory of conversations has a limit', async t => {
  // 64 positions take 2 blocks x keys and values x 2 heads x 32 padded values x 2 bytes x 64.
  const page = 2 * 2 * 2 * 32 * 2 * 64
  await using model = await loadModel(QWEN3, { threads: 1, contextLength: 512, kvCacheBytes: 2 * page })
  const say = async (session: Session): Promise<string> =>
    (await session.generate({ text: 'seven' }, { output: 'text', maxTokens: 4, temperature: 0 }).result()).text
  const [one, two, three] = [model.createSession(), model.createSession(), model.createSession()]
  const reply = await say(one)
  await say(two)
  await t.rejects(say(three), { code: 'MOSS_OUT_OF_MEMORY', message: /kvCacheBytes/ })
  await t.rejects(say(three), OutOfMemoryError)
  t.equal(three.length, 0)
  await one.dispose()
  t.equal(await say(three), reply, 'once another session is gone, there is room')
  two.reset()
  t.equal(await say(two), reply)
})

t.test('options of the cache are checked', async t => {
  for (const options of [{ kvCacheType: 'q4_0' }, { kvCacheBytes: 0 }, { kvCacheBytes: 1.5 }])
    await t.rejects(loadModel(QWEN3, options as never), { code: 'MOSS_INVALID_ARGUMENT' })
})
