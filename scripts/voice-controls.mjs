// Measures whether a voice does what its controls say: `speed`, `pitch`, `energy` and `pause` of `speak`.
//
//   node scripts/voice-controls.mjs [--model file.gguf] [--voices af_heart,zf_xiaoxiao] [--plot controls.svg] [--json]
//
// Each voice says sentences of its language once as it is, and once with every value of each control. Prints by how much
// the control changed the speech: the ratio of the durations, the median difference of F0 (autocorrelation) over the
// frames that are voiced in both, the difference of the levels, and by how many of its silences the speech is longer or
// shorter. Ends with 1 if a voice is further away from what was asked for than the bounds in CONTROLS allow.

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { loadModel } from 'moss-speech-native'
import { median } from '../bench/harness.mjs'
import { controlsPlot } from '../bench/plot.mjs'

const SENTENCES = {
  en: [
    'The light in the kitchen is on, and the door is closed.',
    'Well, would you like some tea? It is almost ready.',
    'My number is seven, four, nine, two.',
  ],
  zh: ['好的，客厅的灯打开了，门也关上了。', '你好！今天天气不错，要不要出去走走？', '我的号码是七，四，九，二。'],
}

const db = (level, reference) => 20 * Math.log10(level / reference)
const rms = samples => Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length)
const mean = values => values.reduce((sum, x) => sum + x, 0) / values.length

/** What is asked for, how it is measured on `said` against `plain`, and how far `result` may be away from `value`. */
const CONTROLS = {
  speed: {
    values: [0.5, 0.75, 1.25, 1.5],
    unit: 'times as fast',
    measured: (said, plain) => plain.samples.length / said.samples.length,
    apart: (result, value) => Math.abs(value / result - 1), // of the duration
    bound: 0.05,
  },
  pitch: {
    values: [-4, -2, 2, 4],
    unit: 'semitones',
    measured: (said, plain) => {
      const pairs = pitches(plain).map((hertz, i) => [hertz, pitches(said)[i]])
      return median(pairs.filter(([a, b]) => a > 0 && b > 0).map(([a, b]) => 12 * Math.log2(b / a)))
    },
    apart: (result, value) => Math.abs(result - value),
    bound: 0.5,
  },
  energy: {
    values: [-6, -3, 3, 6],
    unit: 'dB',
    measured: (said, plain) => db(rms(said.samples), rms(plain.samples)),
    apart: (result, value) => Math.abs(result - value),
    bound: 1,
  },
  pause: {
    values: [0.5, 1.5, 2],
    unit: 'times as long',
    measured: (said, plain) => 1 + (said.samples.length - plain.samples.length) / plain.sampleRate / silence(plain),
    apart: (result, value) => Math.abs(result - value), // of the silences without the control
    bound: 0.15,
  },
}

const HOP = 0.0125 // seconds between the frames that are measured

function frames({ samples, sampleRate }, seconds) {
  const [hop, size] = [Math.round(HOP * sampleRate), Math.round(seconds * sampleRate)]
  return Array.from({ length: Math.floor((samples.length - size) / hop) + 1 }, (_, i) =>
    samples.subarray(i * hop, i * hop + size),
  )
}

/** Seconds of the frames that lie 45 dB below the loudest one, in stretches of at least 0.1 s. */
function silence(audio) {
  const levels = frames(audio, HOP).map(rms)
  const quiet = levels.map(level => db(level, Math.max(...levels)) < -45)
  let [total, run] = [0, 0]
  for (const still of [...quiet, false]) {
    if (still) run++
    else {
      if (run * HOP >= 0.1) total += run
      run = 0
    }
  }
  return total * HOP
}

/** F0 of each frame in Hz, 0 where it is unvoiced: the lag of the highest normalised autocorrelation, on samples at about 8 kHz. */
function pitches(audio) {
  if (audio.pitches) return audio.pitches
  const step = Math.max(1, Math.round(audio.sampleRate / 8000))
  const rate = audio.sampleRate / step
  const samples = Float32Array.from({ length: Math.floor(audio.samples.length / step) }, (_, i) =>
    mean([...audio.samples.subarray(i * step, (i + 1) * step)]),
  )
  const [shortest, longest] = [Math.floor(rate / 500), Math.ceil(rate / 60)]
  const loudest = Math.max(...frames({ samples, sampleRate: rate }, 0.05).map(rms))
  audio.pitches = frames({ samples, sampleRate: rate }, 0.05).map(frame => {
    if (rms(frame) < loudest / 30) return 0
    const width = frame.length - longest
    const at = lag => {
      let [product, a, b] = [0, 1e-9, 1e-9]
      for (let i = 0; i < width; i++) {
        product += frame[i] * frame[i + lag]
        a += frame[i] ** 2
        b += frame[i + lag] ** 2
      }
      return product / Math.sqrt(a * b)
    }
    const scores = Array.from({ length: longest + 1 }, (_, lag) => (lag < shortest - 1 ? -1 : at(lag)))
    const best = Math.max(...scores.slice(shortest, longest))
    // The first peak that is nearly as high as the highest: multiples of the period are as good as the period.
    const lag = scores.findIndex((score, i) => i >= shortest && score > 0.9 * best && score >= scores[i - 1] && score >= scores[i + 1]) // prettier-ignore
    if (best < 0.6 || lag < 0) return 0
    const [before, peak, after] = scores.slice(lag - 1, lag + 2)
    return rate / (lag + (0.5 * (before - after)) / (before - 2 * peak + after)) // the top of a parabola
  })
  return audio.pitches
}

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    voices: { type: 'string' },
    plot: { type: 'string' },
    json: { type: 'boolean' },
  },
})
const model = await loadModel(values.model)
const { sampleRate, voices } = model.info()
const session = model.createSession()
const chosen = voices.filter(({ name }) => values.voices === undefined || values.voices.split(',').includes(name))
const say = async (text, options) => ({ sampleRate, samples: (await session.speak(text, options).result()).audio })

const rows = []
for (const { name, language } of chosen) {
  const sentences = SENTENCES[language.slice(0, 2)]
  const plain = []
  for (const text of sentences) plain.push(await say(text, { voice: name }))
  for (const [control, { values: asked, measured, apart, bound }] of Object.entries(CONTROLS)) {
    for (const value of asked) {
      const results = []
      for (const [i, text] of sentences.entries()) {
        results.push(measured(await say(text, { voice: name, [control]: value }), plain[i]))
      }
      const result = mean(results)
      rows.push({ voice: name, control, asked: value, measured: Number(result.toFixed(3)), kept: apart(result, value) <= bound }) // prettier-ignore
    }
  }
}
await model.dispose()

if (values.plot !== undefined) {
  writeFileSync(values.plot, controlsPlot(Object.entries(CONTROLS).map(([control, { unit }]) => ({ control, unit, rows: rows.filter(row => row.control === control) })))) // prettier-ignore
}
if (values.json) console.log(JSON.stringify(rows))
else {
  for (const [control, { unit }] of Object.entries(CONTROLS)) {
    console.log(`${control} (${unit})`)
    for (const { name } of chosen) {
      const of = rows.filter(row => row.control === control && row.voice === name)
      console.log(
        `  ${name.padEnd(12)}`,
        of.map(row => `${row.asked}: ${row.measured}${row.kept ? '' : ' !'}`).join(', '),
      )
    }
  }
}
process.exitCode = rows.every(row => row.kept) ? 0 : 1
