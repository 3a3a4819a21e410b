/*
 * Measures the time from the start of a process to the first audio (or token, or hidden states), and the peak of its
 * memory. Prints one JSON object.
 *
 *     node bench/load.mjs                                   # nano, Qwen3-0.6B, wav2vec2-large (whose peers encoder.mjs names)
 *     node bench/load.mjs --models nano,lm --rounds 5 --threads 2 --voice en_US-joe-medium.gguf
 *
 * Each run is a separate process. `warm`: the files are in the page cache. `cold`: the files of the model and the addon
 * are not, if the system allows dropping them (GNU dd on Linux; files that other processes have mapped stay).
 * `memory.ofFile` is the peak of the resident memory, minus that of a Node process that does nothing, divided by the
 * size of the file. It includes weights, keys and values, activations, the tokenizer and all of JavaScript.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { loadModel } from 'moss-speech-native'
import nodeGypBuild from 'node-gyp-build'
import { choices, median, report, rounded, whole } from './harness.mjs'
import { qwen3 } from './language-models.mjs'
import { encoder } from './speech-encoders.mjs'

const MODELS = ['nano', 'lm', 'encoder']
const { values } = parseArgs({
  options: {
    models: { type: 'string', default: MODELS.join() },
    voice: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
  },
})
const models = choices('models', values.models, MODELS)
const rounds = whole('rounds', values.rounds)
const threads = whole('threads', values.threads)
const root = join(import.meta.dirname, '..')
const work = mkdtempSync(join(tmpdir(), 'moss-bench-'))

/** Runs first-result.mjs; returns the ms to the first result, and the peak of its memory. */
async function run(...args) {
  const began = performance.now()
  const child = spawn(process.execPath, [join(import.meta.dirname, 'first-result.mjs'), ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  let ms
  let peakMb
  for await (const line of createInterface({ input: child.stdout })) {
    ms ??= performance.now() - began
    peakMb = JSON.parse(line).peakMb
  }
  const [code] = await ended
  if (code !== 0 || peakMb === undefined) throw new Error(`a process ended with ${code}: what it said stands above`)
  return { ms, peakMb }
}

/** Drops files from the page cache; returns false if that is not permitted or possible. */
function drop(files) {
  if (process.platform !== 'linux') return false
  return files.every(file => spawnSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']).status === 0)
}

const addonFolder = dirname(nodeGypBuild.resolve(root))
const addonFiles = readdirSync(addonFolder).map(name => join(addonFolder, name))

async function measure(kind, path, empty, ...rest) {
  const times = { warm: [], cold: [] }
  const peaks = []
  const once = async to => {
    const { ms, peakMb } = await run(kind, path, threads, ...rest)
    to.push(ms)
    peaks.push(peakMb)
  }
  await once([])
  for (let round = 0; round < rounds; round++) {
    await once(times.warm)
    if (drop([path, ...addonFiles])) await once(times.cold)
  }
  const fileMb = statSync(path).size / 2 ** 20
  const taken = median(peaks) - empty.peakMb
  return {
    model: basename(path),
    result: kind,
    firstResultMs: {
      warm: rounded(median(times.warm), 0),
      cold: times.cold.length > 0 ? rounded(median(times.cold), 0) : 'the page cache cannot be dropped here',
      node: rounded(empty.ms, 0), // a process that does nothing
    },
    memory: { fileMb: rounded(fileMb, 1), peakMb: rounded(taken, 1), ofFile: rounded(taken / fileMb) },
  }
}

/** Speech of nano's voice, as a file of floats. */
async function question() {
  const model = await loadModel()
  const { audio } = await model.createSession({ seed: 1 }).speak('Please turn on the lights.', { seed: 1 }).result()
  await model.dispose()
  const file = join(work, 'question.f32')
  writeFileSync(file, audio)
  return file
}

const results = []
try {
  const nothing = []
  for (let round = 0; round <= rounds; round++) nothing.push(await run('nothing'))
  const empty = { ms: median(nothing.map(n => n.ms)), peakMb: median(nothing.map(n => n.peakMb)) }
  const speech = await question()
  if (models.includes('nano')) {
    const nano = join(root, 'models', 'nano.gguf')
    results.push(await measure('speak', nano, empty), await measure('reply', nano, empty, speech))
  }
  if (values.voice) results.push(await measure('speak', values.voice, empty))
  if (models.includes('lm')) results.push(await measure('write', await qwen3(), empty))
  if (models.includes('encoder')) {
    for (const type of ['f32', 'bf16'])
      results.push(await measure('features', await encoder('large', type), empty, speech))
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
report({ threads, rounds, results })
