/*
 * A conversation of 1,000 turns in one session: the time of a turn, the resident memory, and what the context holds, while old turns make
 * room for new ones. Then how long it takes to save the session and to load it again.
 *
 *     node bench/endless.mjs                                  # nano, written turns
 *     node bench/endless.mjs --turns 200 --context-length 512 --threads 1
 *     node bench/endless.mjs --model qwen3.gguf               # an imported language model
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadModel } from 'moss-speech-native'
import { median, whole } from './harness.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'nano' },
    turns: { type: 'string', default: '1000' },
    'context-length': { type: 'string' },
    threads: { type: 'string', default: '2' },
    help: { type: 'boolean', short: 'h' },
  },
})
if (values.help) {
  console.log(`usage: node bench/endless.mjs [options]
  --model FILE         with a language model (nano)
  --turns N            10 or more (1000)
  --context-length N   positions (the model's)
  --threads N          (2)`)
  process.exit()
}
const turns = whole('turns', values.turns, 10)
const contextLength = values['context-length'] && whole('context-length', values['context-length'], 16)
const model = await loadModel(values.model, {
  threads: whole('threads', values.threads),
  ...(contextLength && { contextLength }),
})
const QUESTIONS = ['seven', 'count to ten', 'how are you', 'turn on the light', 'what can you do?']
const session = model.createSession({ seed: 1 })
const lines = []
let times = { keeping: [], dropping: [] }
let dropped = 0
const began = performance.now()
for (let turn = 1; turn <= turns; turn++) {
  const started = performance.now()
  const reply = await session
    .generate({ text: QUESTIONS[turn % QUESTIONS.length] }, { output: 'text', maxTokens: 32 })
    .result()
  times[reply.dropped ? 'dropping' : 'keeping'].push(performance.now() - started)
  dropped += reply.dropped ?? 0
  if (turn % Math.floor(turns / 10) === 0) {
    const ms = list => (list.length > 0 ? median(list).toFixed(1) : '–')
    const rss = process.memoryUsage.rss() / 2 ** 20
    lines.push([
      turn,
      session.length,
      session.history().length / 2,
      dropped,
      ms(times.keeping),
      ms(times.dropping),
      rss.toFixed(0),
    ])
    times = { keeping: [], dropping: [] }
  }
}
const seconds = (performance.now() - began) / 1000

console.log(`${model.info().name}, a context of ${model.info().nCtx}, ${turns} turns in ${seconds.toFixed(1)} s\n`)
const header = [
  'turn',
  'positions',
  'turns in the context',
  'dropped',
  'ms without a drop',
  'ms with one',
  'resident MB',
]
for (const cells of [header, header.map(() => '---:'), ...lines]) console.log(`| ${cells.join(' | ')} |`)

const folder = mkdtempSync(join(tmpdir(), 'moss-endless-'))
const path = join(folder, 'session.moss')
await session.save(path) // the first time, the model's file is hashed
const timed = async work => {
  const started = performance.now()
  await work()
  return (performance.now() - started).toFixed(0)
}
const saving = await timed(() => session.save(path))
const loading = await timed(() => model.loadSession(path))
console.log(`\nsaved in ${saving} ms (${(statSync(path).size / 2 ** 20).toFixed(1)} MB), loaded in ${loading} ms`)
rmSync(folder, { recursive: true })
await model.dispose()
