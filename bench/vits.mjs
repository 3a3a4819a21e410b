/*
 * Measures the speed of a Piper voice: ours in F32, BF16 and INT8, onnxruntime-node and sherpa-onnx-node. Prints one
 * JSON object.
 *
 *     npm install --prefix bench/peers --ignore-scripts       # once: the peers
 *     node bench/vits.mjs --voice en_US-joe-medium.onnx       # its .onnx.json beside it
 *     node bench/vits.mjs --voice … --types f32,q8_0 --threads 1 --rounds 7 --espeak-data /usr/share/espeak-ng-data
 *
 * onnxruntime gets the ids of our text front end. sherpa has its own front end, which needs espeak-ng's data, so its
 * time is divided by the seconds of its own audio. The durations have no noise, so that all engines speak the same.
 */
import { Buffer } from 'node:buffer'
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { convert, loadModel } from 'moss-speech-native'
import { choices, compare, inTurn, pairs, report, rounded, stopwatch, whole, wholes } from './harness.mjs'

const { values } = parseArgs({
  options: {
    voice: { type: 'string' },
    types: { type: 'string', default: 'f32,bf16,q8_0' },
    threads: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '5' },
    'espeak-data': { type: 'string' },
  },
})
if (!values.voice) throw new TypeError('--voice must be the .onnx file of a Piper voice')
const types = choices('types', values.types, ['f32', 'bf16', 'q8_0'])
const threadCounts = wholes('threads', values.threads)
const rounds = whole('rounds', values.rounds)
const require = createRequire(join(import.meta.dirname, 'peers', 'package.json'))

const SENTENCES = {
  short: 'The kitchen light is on.',
  long: 'A library with one small model is a demonstration, so people should bring the models that they already have, and find that they run faster here than anywhere else on the same machine.',
}
const ESPEAK_DATA = [
  values['espeak-data'],
  '/usr/share/espeak-ng-data',
  '/usr/lib/x86_64-linux-gnu/espeak-ng-data',
  '/usr/lib/aarch64-linux-gnu/espeak-ng-data',
]

const config = JSON.parse(readFileSync(`${values.voice}.json`, 'utf8'))
const work = mkdtempSync(join(tmpdir(), 'moss-bench-'))

/** Runs the voice with onnxruntime: ids → time. */
async function onnxruntime(threads) {
  const ort = require('onnxruntime-node')
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1, executionProviders: ['cpu'] }
  const session = await ort.InferenceSession.create(values.voice, options)
  const { noise_scale: noise, length_scale: length } = config.inference
  const scales = new ort.Tensor('float32', Float32Array.of(noise, length, 0), [3])
  return async ids => {
    const feeds = {
      input: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
      input_lengths: new ort.Tensor('int64', BigInt64Array.of(BigInt(ids.length)), [1]),
      scales,
    }
    const elapsed = stopwatch()
    const { output } = await session.run(feeds)
    return { time: elapsed(), samples: output.data.length }
  }
}

/** Runs a copy of the file with the metadata that sherpa needs: text → time. Undefined if espeak-ng's data is missing. */
function sherpa(threads) {
  const data = ESPEAK_DATA.find(folder => folder && existsSync(folder))
  if (!data) return undefined
  const { OfflineTts } = require('sherpa-onnx-node')
  const model = join(work, 'sherpa.onnx')
  if (!existsSync(model)) {
    copyFileSync(values.voice, model)
    const metadata = {
      model_type: 'vits',
      comment: 'piper',
      language: config.language?.name_english ?? 'English',
      voice: config.espeak.voice,
      has_espeak: 1,
      n_speakers: config.num_speakers,
      sample_rate: config.audio.sample_rate,
    }
    for (const [key, value] of Object.entries(metadata)) appendFileSync(model, metadataEntry(key, String(value)))
    const tokens = Object.entries(config.phoneme_id_map).map(([symbol, [id]]) => `${symbol} ${id}\n`)
    writeFileSync(join(work, 'tokens.txt'), tokens.join(''))
  }
  const vits = { model, tokens: join(work, 'tokens.txt'), dataDir: data, noiseScaleW: 0 }
  const tts = new OfflineTts({ model: { vits, numThreads: threads, provider: 'cpu' }, maxNumSentences: 1 })
  return text => {
    const elapsed = stopwatch()
    const { samples } = tts.generate({ text, sid: 0, speed: 1 })
    return { time: elapsed(), samples: samples.length }
  }
}

/** An entry of ModelProto.metadata_props (field 14). Fields can simply be appended to a protobuf message. */
function metadataEntry(key, value) {
  const field = (number, bytes) => Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes])
  return field(14, Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(value))]))
}

/** Ids in Piper's format: a pad after each symbol, and marks at the beginning and end. */
function idsOf(symbols) {
  const map = config.phoneme_id_map
  return [...map['^'], ...map['_'], ...symbols.flatMap(symbol => [...map[symbol], ...map['_']]), ...map['$']]
}

const results = []
try {
  for (const type of types) await convert(values.voice, join(work, `${type}.gguf`), { type })
  for (const threads of threadCounts) {
    const ours = {}
    for (const type of types) {
      const model = await loadModel(join(work, `${type}.gguf`), { threads })
      ours[type] = { model, session: model.createSession({ seed: 1 }) }
    }
    const ort = await onnxruntime(threads)
    const tts = sherpa(threads)
    for (const [length, text] of Object.entries(SENTENCES)) {
      const said = {}
      const say = type => async () => {
        const { audio, units } = await ours[type].session.speak(text, { noiseW: 0 }).result()
        said[type] = { units, samples: audio.length }
      }
      await say(types[0])()
      const ids = idsOf(said[types[0]].units)
      const engines = Object.fromEntries(types.map(type => [`moss ${type}`, say(type)]))
      engines.onnxruntime = async () => {
        const { time, samples } = await ort(ids)
        said.onnxruntime = { samples }
        return time
      }
      if (tts) {
        engines.sherpa = () => {
          const { time, samples } = tts(text)
          said.sherpa = { samples }
          const same = said[types[0]].samples / samples // the ratio of the audio's lengths
          return { ms: time.ms * same, cpuMs: time.cpuMs * same }
        }
      }
      const times = await inTurn(engines, rounds)
      const seconds = said[types[0]].samples / config.audio.sample_rate
      results.push({
        threads,
        sentence: length,
        seconds: rounded(seconds, 2),
        samples: Object.fromEntries(Object.entries(said).map(([name, { samples }]) => [name, samples])),
        ...compare(
          times,
          pairs(
            types.map(type => `moss ${type}`),
            ['onnxruntime', 'sherpa'],
          ),
        ),
      })
    }
    for (const { model } of Object.values(ours)) await model.dispose()
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
report({ voice: basename(values.voice), rounds, results })
