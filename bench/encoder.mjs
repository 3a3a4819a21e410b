/*
 * wav2vec2 of the base and large shapes with random weights: us in F32, BF16 and INT8 (Q8_0), onnxruntime in FP32 and INT8 (dynamic),
 * transformers. Prints one JSON object.
 *
 *     pip install -r bench/peers/requirements.txt           # once: the peers
 *     node bench/encoder.mjs                                # PYTHON says which Python, default python3
 *     node bench/encoder.mjs --sizes base --types f32,q8_0 --threads 1 --rounds 3 --seconds 10
 *
 * All process the same samples and return the last hidden states. `agreement` compares these with onnxruntime's in
 * FP32, frame by frame. The checkpoints are made once by transformers with a fixed seed and cached
 * (speech-encoders.mjs).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadModel } from 'moss-speech-native'
import { choices, compare, inTurn, pairs, Peer, report, rounded, whole, wholes } from './harness.mjs'
import { checkpoint, encoder, SIZES } from './speech-encoders.mjs'

const TYPES = ['f32', 'bf16', 'q8_0']
const PEERS = ['onnxruntime', 'onnxruntime-int8', 'transformers']
const RATE = 16_000

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: SIZES.join() },
    types: { type: 'string', default: TYPES.join() },
    threads: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '10' },
  },
})
const sizes = choices('sizes', values.sizes, SIZES)
const types = choices('types', values.types, TYPES)
const threadCounts = wholes('threads', values.threads)
const rounds = whole('rounds', values.rounds)
const seconds = whole('seconds', values.seconds)

/**
 * Speech of nano's voice of the requested length, with mean 0 and variance 1, so that it does not matter which engines
 * normalize it.
 */
async function speech() {
  const model = await loadModel()
  const { audio, sampleRate } = await model
    .createSession({ seed: 1 })
    .speak('Please turn on the lights.', { seed: 1 })
    .result()
  await model.dispose()
  if (sampleRate !== RATE) throw new Error(`the voice speaks at ${sampleRate} Hz, not at ${RATE}`)
  const samples = Float32Array.from({ length: seconds * RATE }, (_, i) => audio[i % audio.length])
  const mean = samples.reduce((sum, x) => sum + x, 0) / samples.length
  const deviation = Math.sqrt(samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / samples.length)
  return samples.map(x => (x - mean) / deviation)
}

/** The cosine similarity of hidden states with the reference, frame by frame: the mean and the minimum. */
function agreement(hidden, reference, size) {
  if (hidden.length !== reference.length) throw new Error(`${hidden.length} values, not ${reference.length}`)
  const cosines = []
  for (let at = 0; at < hidden.length; at += size) {
    let [dot, a, b] = [0, 0, 0]
    for (let i = at; i < at + size; i++) {
      dot += hidden[i] * reference[i]
      a += hidden[i] ** 2
      b += reference[i] ** 2
    }
    cosines.push(dot / Math.sqrt(a * b))
  }
  return {
    mean: rounded(cosines.reduce((sum, x) => sum + x, 0) / cosines.length, 5),
    least: rounded(Math.min(...cosines), 5),
  }
}

const work = mkdtempSync(join(tmpdir(), 'moss-bench-'))
const waveFile = join(work, 'wave.f32')
const samples = await speech()
writeFileSync(waveFile, samples)
const peer = Peer.python('encoder.py')

async function measure(size, threads) {
  await peer.ask({ load: await checkpoint(size), threads, engines: PEERS })
  const ours = {}
  for (const type of types) {
    const model = await loadModel(await encoder(size, type), { threads })
    ours[`moss ${type}`] = { model, session: model.createSession() }
  }
  const read = name => {
    const bytes = readFileSync(join(work, name))
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  }
  const hear = ({ session }) => session.features({ samples, sampleRate: RATE })
  const engines = {
    ...Object.fromEntries(Object.entries(ours).map(([name, us]) => [name, async () => void (await hear(us))])),
    ...Object.fromEntries(PEERS.map(name => [name, () => peer.ask({ run: name, wave: waveFile })])),
  }
  const times = await inTurn(engines, rounds)

  const { channels } = await peer.ask({ run: 'onnxruntime', wave: waveFile, out: join(work, 'reference') })
  await peer.ask({ run: 'onnxruntime-int8', wave: waveFile, out: join(work, 'int8') })
  const reference = read('reference')
  const agrees = { 'onnxruntime-int8': agreement(read('int8'), reference, channels) }
  for (const [name, us] of Object.entries(ours)) {
    agrees[name] = agreement((await hear(us)).data, reference, channels)
    await us.model.dispose()
  }
  const compared = compare(times, pairs(Object.keys(ours), PEERS))
  return { size, threads, frames: reference.length / channels, ...compared, agreement: agrees }
}

const results = []
try {
  for (const size of sizes) for (const threads of threadCounts) results.push(await measure(size, threads))
} finally {
  await peer.end()
  rmSync(work, { recursive: true, force: true })
}
report({ seconds, rounds, results })
