// Text that is read aloud while it arrives.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { loadModel, type Model, type Session } from '../dist/lib/index.js'
import { TINY } from './helpers/model.js'

const TEXT = 'The first one is **here**. Then the second one comes, 😀 and `code`.\n\nIs that the third? 好的。'

/** Yields a text in pieces, and says how far it was read and whether it was told to end. */
class Source implements AsyncIterable<string> {
  read = 0
  returned = false
  constructor(
    private readonly pieces: readonly unknown[],
    private readonly end: () => Promise<void> = () => Promise.resolve(),
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    let done = false
    try {
      for (const piece of this.pieces) {
        await sleep(0)
        this.read++
        yield piece as string
      }
      await this.end()
      done = true
    } finally {
      this.returned = !done
    }
  }
}

const letters = (text: string): string[] => Array.from(text)

t.test('streams of text', async t => {
  const model: Model = await loadModel(TINY, { threads: 1 })
  t.teardown(() => model.dispose())
  let session: Session = model.createSession({ seed: 1 })
  t.beforeEach(() => void (session = model.createSession({ seed: 1 })))

  t.test('sound as the sentences do, however the text is cut', async t => {
    const texts: string[] = []
    const lengths: number[] = []
    const whole = session.speak([TEXT], { seed: 3 })
    for await (const { text, audio } of whole) {
      if (text !== undefined) texts.push(text)
      lengths.push(audio?.length ?? 0)
    }
    t.same(texts, ['The first one is here.', 'Then the second one comes, and code.', 'Is that the third?', '好的。'])
    const { audio } = await session.speak(texts.join(' '), { seed: 3 }).result()
    t.equal(
      lengths.reduce((sum, length) => sum + length, 0),
      audio.length,
    )
    const spoken = await session.speak(new Source(letters(TEXT)), { seed: 3 }).result()
    t.same(spoken.audio, audio)
    t.equal(spoken.text, TEXT)
    t.equal(spoken.finishReason, 'stop')
  })

  t.test('are spoken before they end', async t => {
    let heard: () => void = () => undefined
    const source = new Source(['One is here. Two', ' is here.'], () => new Promise<void>(resolve => (heard = resolve)))
    let first = true
    for await (const { audio } of session.speak(source)) {
      if (audio && first) {
        first = false
        while (source.read < 2) await sleep(1)
        await sleep(1)
        heard() // the source goes on only when the first sentence was heard
      }
    }
    t.notOk(first)
    t.notOk(source.returned)
  })

  t.test('are not read far ahead', async t => {
    const source = new Source(Array.from({ length: 500 }, (_, i) => `Number ${i} is here. `))
    for await (const { audio } of session.speak(source)) if (audio) break
    t.ok(source.read < 40, String(source.read))
    while (!source.returned) await sleep(1)
    t.pass('the source was told to end')
  })

  t.test('may fail, after what was said before', async t => {
    const failing = new Source(['One is here. Two is here. '], () => Promise.reject(new RangeError('gone')))
    let audio = 0
    await t.rejects(
      async () => {
        for await (const chunk of session.speak(failing)) audio += chunk.audio?.length ?? 0
      },
      { message: 'gone' },
    )
    t.ok(audio > 0)
    await t.rejects(session.speak(new Source([], () => Promise.reject(new RangeError('gone')))).result(), {
      message: 'gone',
    })
  })

  t.test('are stopped by a signal although the source never goes on', async t => {
    const stop = new AbortController()
    const never = new Source(['One is here. Two'], () => new Promise<void>(() => undefined))
    const speaking = session.speak(never, { signal: stop.signal }).result()
    speaking.catch(() => undefined)
    while (never.read < 1) await sleep(1)
    stop.abort()
    await t.rejects(speaking, { code: 'MOSS_ABORTED' })
    t.equal((await session.speak('seven').result()).finishReason, 'stop', 'the session goes on')
  })

  t.test('must hold text', async t => {
    const code = 'MOSS_INVALID_ARGUMENT'
    await t.rejects(session.speak(new Source([])).result(), { code, message: /nothing/ })
    await t.rejects(session.speak(['```\ncode\n```']).result(), { code, message: /nothing/ })
    const wrong = new Source(['One is here. ', 7, 'more'])
    await t.rejects(session.speak(wrong).result(), { code, message: /yield strings/ })
    while (!wrong.returned) await sleep(1)
    await t.rejects(session.speak(new Source([TEXT, 'a '.repeat(50_000)])).result(), { code, message: /100000/ })
    t.throws(() => session.speak(7 as never), { code })
  })

  t.test('may be what the user says', async t => {
    const options = { output: 'text', maxTokens: 8, temperature: 0 } as const
    const { text } = await session.generate({ text: 'turn on the light' }, options).result()
    session.reset()
    const asked = new Source(letters('turn on the light'))
    t.equal((await session.generate({ text: asked }, options).result()).text, text)
    const code = 'MOSS_INVALID_ARGUMENT'
    await t.rejects(session.generate({ text: [' '] }, options).result(), { code, message: /empty/ })
    await t.rejects(session.generate({ text: new Source(['a', 7]) }, options).result(), {
      code,
      message: /yield strings/,
    })
    t.equal(session.length > 0, true, 'the turn before is kept')
  })
})
