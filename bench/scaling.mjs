/*
 * Measures whether the time of synthesis is proportional to the length of the speech: seconds of computation against
 * seconds of speech. Prints one JSON object.
 *
 *     node bench/scaling.mjs                                   # nano
 *     node bench/scaling.mjs --voice en_US-joe-medium.onnx     # a Piper voice, its .onnx.json beside it; or a .gguf
 *     node bench/scaling.mjs --lengths 1,2,5,10,20,40,60 --types f32,q8_0 --threads 1 --rounds 5
 *
 * Each utterance is one sentence without inner full stops. A straight line is fitted to the medians: `secondsASecond`
 * is its slope, `startMs` its intercept, `r2` the explained share of the variance, `largestDeviation` the largest
 * relative distance of a point from it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { convert, loadModel } from 'moss-speech-native'
import { choices, inTurn, median, report, rounded, whole, wholes } from './harness.mjs'

const { values } = parseArgs({
  options: {
    voice: { type: 'string' },
    lengths: { type: 'string', default: '1,2,5,10,20,40,60' },
    types: { type: 'string', default: 'q8_0' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
  },
})
const lengths = wholes('lengths', values.lengths)
if (new Set(lengths).size < 3) throw new RangeError('--lengths takes three lengths or more: two are always on a line')
const types = choices('types', values.types, ['f32', 'bf16', 'q8_0'])
const threads = whole('threads', values.threads)
const rounds = whole('rounds', values.rounds)

const WORDS =
  'and then we went along the river to the old mill and looked for the key that somebody had left under a stone near the door'.split(
    ' ',
  )

const sentence = count => Array.from({ length: count }, (_, i) => WORDS[i % WORDS.length]).join(' ')

/** Fits y = start + slope x by least squares. */
function line(points) {
  const mean = key => points.reduce((sum, p) => sum + p[key], 0) / points.length
  const [x, y] = [mean('seconds'), mean('cost')]
  const sum = term => points.reduce((total, p) => total + term(p.seconds - x, p.cost - y), 0)
  const slope = sum((dx, dy) => dx * dy) / sum(dx => dx * dx)
  const start = y - slope * x
  const residual = p => p.cost - (start + slope * p.seconds)
  return {
    secondsASecond: rounded(slope, 4),
    startMs: rounded(1000 * start, 1),
    r2: rounded(1 - points.reduce((total, p) => total + residual(p) ** 2, 0) / sum((_, dy) => dy * dy), 5),
    largestDeviation: rounded(Math.max(...points.map(p => Math.abs(residual(p)) / p.cost)), 3),
  }
}

async function measure(path, type) {
  const model = await loadModel(path, { threads })
  const session = model.createSession({ seed: 1 })
  const said = {} // seconds
  const speak = (name, words) => async () => {
    const { audio, sampleRate } = await session.speak(sentence(words), { seed: 1 }).result()
    said[name] = audio.length / sampleRate
  }
  const [few, many] = [10, 30]
  await speak('few', few)()
  await speak('many', many)()
  const wordLength = (said.many - said.few) / (many - few)
  const engines = lengths.map(seconds => {
    const words = Math.max(1, Math.round(few + (seconds - said.few) / wordLength))
    return [String(seconds), speak(String(seconds), words)]
  })
  const times = await inTurn(Object.fromEntries(engines), rounds)
  await model.dispose()
  const fitted = key => {
    const points = lengths.map(name => ({ seconds: said[name], cost: median(times[name].map(t => t[key])) / 1000 }))
    const shown = points.map(({ seconds, cost }) => ({ seconds: rounded(seconds, 2), cost: rounded(cost, 4) }))
    return { ...line(points), points: shown }
  }
  return { type, threads, wall: fitted('ms'), processor: fitted('cpuMs') }
}

const results = []
const work = mkdtempSync(join(tmpdir(), 'moss-bench-'))
try {
  if (values.voice?.endsWith('.onnx')) {
    for (const type of types) {
      const file = join(work, `${type}.gguf`)
      await convert(values.voice, file, { type })
      results.push(await measure(file, type))
    }
  } else {
    results.push(await measure(values.voice, 'as the file has it'))
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
report({ voice: values.voice === undefined ? 'nano' : basename(values.voice), rounds, results })
