/*
 * Measures the speed of a whole turn: speech in, speech out. Prints one JSON object.
 *
 *     npm run bench                                    # nano speaks the questions itself, then answers them
 *     npm run bench -- --model models/nano.gguf --rounds 5 question.wav …
 *
 * RTF, the real-time factor, is the seconds of computation divided by the seconds of input and reply; below 1 is faster
 * than real time. The first round is warm-up.
 */
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { loadModel } from 'moss-speech-native'
import { median, report, rounded, stopwatch, whole, wholes } from './harness.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1,2' },
  },
})
const rounds = whole('rounds', values.rounds)
const threadCounts = wholes('threads', values.threads)

const QUESTIONS = ['Seven.', 'Please turn on the lights in the kitchen.', '请打开客厅的灯。', '你好。']

async function measure(threads) {
  const loaded = stopwatch()
  const model = await loadModel(values.model, { threads })
  const loadMs = loaded().ms
  const session = model.createSession({ seed: 1 })
  let questions = positionals
  if (questions.length === 0) {
    const spoken = []
    for (const [seed, text] of QUESTIONS.entries()) spoken.push(await session.speak(text, { seed }).result())
    questions = spoken.map(({ audio, sampleRate }) => ({ samples: audio, sampleRate }))
  }
  const turns = []
  for (let round = 0; round <= rounds; round++) {
    for (const [seed, speech] of questions.entries()) {
      session.reset()
      const elapsed = stopwatch()
      const { timings } = await session.generate({ speech }, { output: 'speech', seed, maxSeconds: 15 }).result()
      if (round > 0) turns.push({ ...timings, cpuMs: elapsed().cpuMs })
    }
  }
  const of = pick => rounded(median(turns.map(pick)))
  const perSecond = key => of(t => t[key] / 1000 / (t.inputSeconds + t.replySeconds))
  const result = {
    threads,
    rtf: perSecond('totalMs'),
    cpuRtf: perSecond('cpuMs'), // processor seconds of all threads
    firstAudioMs: of(t => t.firstAudioMs),
    parts: {
      listen: of(t => t.encodeMs / 1000 / t.inputSeconds), // front end, tone module, encoder, aligner; for each second of input
      prefill: perSecond('prefillMs'),
      lm: of(t => t.lmMs / 1000 / t.replySeconds), // for each second of reply
      decode: of(t => t.decodeMs / 1000 / t.replySeconds), // for each second of reply
    },
    inputSeconds: of(t => t.inputSeconds),
    replySeconds: of(t => t.replySeconds),
    turns: turns.length,
    loadMs: rounded(loadMs, 0),
  }
  const path = model.info().path
  await model.dispose()
  return { path, result }
}

const results = []
let file = ''
for (const threads of threadCounts) {
  const { path, result } = await measure(threads)
  file = basename(path)
  results.push(result)
}
report({ model: file, questions: positionals.length || QUESTIONS.length, rounds, results })
