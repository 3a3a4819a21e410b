/*
 * Runs all benchmarks one after the other and prints one JSON object with their results.
 *
 *     node bench/all.mjs --voice en_US-joe-medium.onnx > docs/performance.json    # on an idle machine, an hour or two
 *     node bench/tables.mjs docs/performance.json                                 # the tables of docs/performance.md
 *     node bench/all.mjs --voice … --only vits,lm --rounds 1                      # some of them, or a quick look
 *
 * Each benchmark lists its requirements at the top of its file: the peers in bench/peers, a Python (PYTHON) with
 * bench/peers/requirements.txt, a built addon. Without --voice, the benchmarks of imported voices are left out. A
 * benchmark that fails is reported on standard error and left out, and the exit code is 1.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { choices, machine, whole } from './harness.mjs'

const VOICE = ['vits', 'scaling-voice']
const NAMES = ['turn', 'vits', 'encoder', 'lm', 'load', 'scaling', 'scaling-voice', 'roofline']
const { values } = parseArgs({
  options: {
    voice: { type: 'string' },
    only: { type: 'string', default: NAMES.join() },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1,2' },
  },
})
const rounds = String(whole('rounds', values.rounds))
const voice = values.voice === undefined ? [] : ['--voice', values.voice]
const several = ['--rounds', rounds, '--threads', values.threads]
const one = ['--rounds', rounds, '--threads', '1']
const commands = {
  turn: ['turn', ...several],
  vits: ['vits', ...several, ...voice],
  encoder: ['encoder', ...several],
  lm: ['lm', ...several],
  load: ['load', '--rounds', rounds],
  scaling: ['scaling', ...one],
  'scaling-voice': ['scaling', ...one, ...voice, '--types', 'f32,q8_0'],
  roofline: ['roofline', ...several],
}

const chosen = choices('only', values.only, NAMES).filter(name => values.voice !== undefined || !VOICE.includes(name))
const all = { machine: machine(), rounds: Number(rounds) }
for (const name of chosen) {
  const [script, ...args] = commands[name]
  console.error(`${new Date().toTimeString().slice(0, 8)} ${name}`)
  const { status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, `${script}.mjs`), ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status === 0) {
    all[name] = JSON.parse(stdout)
  } else {
    console.error(`${name} failed`)
    process.exitCode = 1
  }
}
console.log(JSON.stringify(all, null, 1))
