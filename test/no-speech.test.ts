// Recordings without speech are recognized as such, and long recordings are transcribed utterance by utterance.

import { join } from 'node:path'
import t from 'tap'
import {
  AudioLengthError,
  InvalidArgumentError,
  loadModel,
  readAudio,
  writeWav,
  type Model,
  type Session,
} from '../dist/lib/index.js'
import { concat } from '../dist/lib/audio/concat.js'
import { runCommand } from './helpers/command.js'
import { root, TINY } from './helpers/model.js'

const RATE = 16000
const SECONDS = 2
const question = (name: string): string => join(root, 'test', 'audio', 'questions', name)

/** Deterministic noise in [-1, 1]. */
function noise(): number[] {
  let state = 7
  return Array.from({ length: SECONDS * RATE }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

const wave = (f: (second: number) => number): number[] => Array.from({ length: SECONDS * RATE }, (_, i) => f(i / RATE))
const sine = (hertz: number) => (second: number) => Math.sin(2 * Math.PI * hertz * second)

const NO_SPEECH: Record<string, Float32Array> = {
  silence: new Float32Array(SECONDS * RATE),
  'a tenth of a second of silence': new Float32Array(RATE / 10),
  'loud noise': Float32Array.from(noise(), v => 0.5 * v),
  'soft noise': Float32Array.from(noise(), v => 0.004 * v),
  'a tone of 440 Hz': Float32Array.from(wave(sine(440)), v => 0.5 * v),
  'a tone of 100 Hz': Float32Array.from(wave(sine(100)), v => 0.9 * v),
  'a constant': new Float32Array(SECONDS * RATE).fill(0.3),
  'mains hum': Float32Array.from(
    wave(s => [1, 2, 3, 4, 5].reduce((sum, n) => sum + sine(50 * n)(s) / n, 0)),
    v => 0.2 * v,
  ),
  clicks: Float32Array.from({ length: SECONDS * RATE }, (_, i) => (i % 5000 === 0 ? 0.9 : 0)),
}

async function samplesOf(name: string): Promise<Float32Array> {
  return (await readAudio(question(name))).samples
}

async function withNano(work: (session: Session, model: Model) => Promise<void>): Promise<void> {
  const model = await loadModel(undefined, { threads: 2 })
  try {
    await work(model.createSession({ seed: 1 }), model)
  } finally {
    await model.dispose()
  }
}

t.test('silence, noise and tones are no speech', async t => {
  await withNano(async (session, model) => {
    t.equal(model.info().vad, true)
    for (const [name, samples] of Object.entries(NO_SPEECH)) {
      const speech = { samples, sampleRate: RATE }
      t.strictSame(
        await session.transcribe(speech),
        { noSpeech: true, text: '', units: [], segments: [] },
        `${name}, transcribed`,
      )
      const chunks = []
      const stream = session.generate({ speech }, { transcribe: true })
      for await (const chunk of stream) chunks.push(chunk)
      const { audio, text, units, heard, finishReason, seconds } = await stream.result()
      t.strictSame(
        { audio: audio.length, text, units, heard, finishReason, seconds },
        { audio: 0, text: '', units: [], heard: { noSpeech: true, units: [] }, finishReason: 'noSpeech', seconds: 0 },
        `${name}, answered`,
      )
      t.strictSame(chunks, [{ heard: { noSpeech: true, units: [] }, finishReason: 'noSpeech' }], `${name}, its chunks`)
      t.equal(session.length, 0, 'the conversation has no such turn')
    }
  })
})

t.test('silence is no turn of a conversation, and silence around speech does not matter', async t => {
  await withNano(async session => {
    const speech = await samplesOf('en-home-02.opus')
    const silence = new Float32Array(3 * RATE)
    const options = { output: 'text', seed: 1 } as const
    const plain = await session.generate({ speech: { samples: speech, sampleRate: RATE } }, options).result()
    const { length } = session
    await session.generate({ speech: { samples: silence, sampleRate: RATE } }, options).result()
    t.equal(session.length, length, 'what was there is still there')
    session.reset()
    const padded = { samples: concat([silence, speech, silence]), sampleRate: RATE }
    const same = await session.generate({ speech: padded }, options).result()
    t.equal(same.text, plain.text)
    // Long enough to be passed to the addon in pieces.
    const long = {
      samples: concat([new Float32Array(70 * RATE), speech, new Float32Array(70 * RATE)]),
      sampleRate: RATE,
    }
    session.reset()
    const late = await session.generate({ speech: long }, options).result()
    t.equal(late.text, plain.text)
    t.ok((late.heard?.units[0]?.start ?? 0) > 69.5)
    const aborted = AbortSignal.abort()
    session.reset()
    await t.rejects(session.generate({ speech: long }, { ...options, signal: aborted }).result(), {
      code: 'MOSS_ABORTED',
    })
    t.equal(
      (await session.generate({ speech: padded }, options).result()).text,
      plain.text,
      'and is forgotten with its call',
    )
    const shift = (same.heard?.units[0]?.start ?? 0) - (plain.heard?.units[0]?.start ?? 0)
    t.ok(Math.abs(shift - 3) < 0.1, `times count from the start of the recording: ${shift}`)
  })
})

t.test('a stream that is left after silence takes back nothing', async t => {
  await withNano(async session => {
    await session.generate({ text: 'hello' }, { output: 'text' }).result()
    const { length } = session
    const stream = session.generate({ speech: { samples: new Float32Array(RATE), sampleRate: RATE } })
    for await (const chunk of stream) {
      t.equal(chunk.finishReason, 'noSpeech')
      break
    }
    await session.transcribe({ samples: new Float32Array(RATE), sampleRate: RATE }) // the session is free again
    t.equal(session.length, length)
  })
})

t.test('vad: false hears everything', async t => {
  await withNano(async session => {
    const speech = { samples: new Float32Array(RATE), sampleRate: RATE }
    const reply = await session.generate({ speech }, { vad: false, output: 'text', maxTokens: 4 }).result()
    t.not(reply.finishReason, 'noSpeech')
    t.ok(session.length > 0)
    const transcript = await session.transcribe(speech, { vad: false })
    t.equal(transcript.noSpeech, undefined)
    t.equal(transcript.segments?.length, 1)
    t.throws(() => session.generate({ speech }, { vad: 1 as never }), InvalidArgumentError)
    await t.rejects(session.transcribe(speech, { vad: 'no' as never }), InvalidArgumentError)
  })
})

t.test('a long recording is transcribed utterance by utterance', async t => {
  const names = ['en-home-00.opus', 'en-home-02.opus', 'en-number-07.opus', 'zh-home-16.opus', 'zh-home-14.opus']
  await withNano(async (session, model) => {
    const pause = new Float32Array(0.8 * RATE)
    const single: string[] = []
    const pieces: Float32Array[] = []
    for (const name of names) {
      const samples = await samplesOf(name)
      single.push((await session.transcribe({ samples, sampleRate: RATE })).text)
      pieces.push(samples, pause)
    }
    const rounds = 12 // longer than two minutes
    const samples = concat(Array.from({ length: rounds }, () => pieces).flat())
    const seconds = samples.length / RATE
    t.ok(seconds > 120, `${seconds} s`)
    const told: number[] = []
    const speech = { samples, sampleRate: RATE }
    const transcript = await session.transcribe(speech, { onProgress: ({ seconds }) => told.push(seconds) })
    const segments = transcript.segments ?? []
    t.ok(segments.length >= names.length * rounds, `${segments.length} utterances`)
    t.ok(
      segments.every(
        ({ start, end, text }, i) => start >= (segments[i - 1]?.end ?? 0) && end > start && text.length < 120,
      ),
    )
    t.ok(transcript.units.every(({ start }, i) => start >= (transcript.units[i - 1]?.start ?? 0)))
    // Neighbours do not influence an utterance: most are transcribed as if they were alone.
    const found = single.filter(text => segments.filter(segment => segment.text === text).length >= rounds / 2)
    t.ok(found.length >= 4, `${found.length} of ${names.length} as they are alone`)
    t.ok(told.length > 0 && told.every(heard => heard > 0 && heard <= seconds), 'progress is told')
    t.notMatch(transcript.text, /(.{2,8}?)\1{4}/u, 'nothing goes on and on')

    const limit = model.info().maxTurnSeconds
    t.ok(limit < 60)
    await t.rejects(session.generate({ speech }).result(), AudioLengthError)
    t.equal(session.length, 0)
    await t.rejects(session.generate({ speech }, { vad: false }).result(), AudioLengthError)
  })
})

t.test('a model without voice activity detection hears all as one utterance', async t => {
  const model = await loadModel(TINY, { threads: 1 })
  const session = model.createSession({ seed: 1 })
  t.equal(model.info().vad, false)
  t.equal(model.info().maxTurnSeconds, model.info().maxInputSeconds)
  const transcript = await session.transcribe({ samples: new Float32Array(RATE), sampleRate: RATE })
  t.notOk('segments' in transcript)
  t.notOk('noSpeech' in transcript)
  await model.dispose()
})

t.test('the command says so', async t => {
  const silence = join(t.testdir(), 'silence.wav')
  await writeWav(silence, new Float32Array(2 * RATE), { sampleRate: RATE })
  const plain = await runCommand(['transcribe', silence])
  t.equal(plain.code, 0)
  t.equal(plain.stdout, '')
  t.match(plain.stderr, `${silence}: no speech was heard in it`)
  const json = await runCommand(['chat', silence, question('en-home-02.opus'), '--json'])
  const { turns } = JSON.parse(json.stdout) as {
    turns: { heard: { noSpeech?: true }; reply: { finishReason: string } }[]
  }
  t.strictSame(
    turns.map(({ heard, reply }) => [heard.noSpeech, reply.finishReason]),
    [
      [true, 'noSpeech'],
      [undefined, 'stop'],
    ],
  )
  t.match(json.stderr, 'no speech was heard in it')
})
