// Runs one JavaScript fuzz target (test/fuzz/NAME.cjs) for some seconds: `node scripts/fuzz-script.mjs NAME SECONDS FINDINGS SEED`.
//
// fast-check draws an input from the corpus and some changes to its bytes, and shrinks findings. A target may export
// `more(fc, seeds)`, which changes inputs in a structured way. The target runs in a worker that keeps its current input
// in shared memory, so that an input on which it hangs is found, too.

import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setInterval } from 'node:timers'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { root } from './lib.mjs'

const LONGEST = 1 << 16 // bytes of an input
const SLOWEST = 20 // seconds that an input may take

/** A change of an input: bytes are overwritten, inserted, removed, or copied from elsewhere in it or in another seed. */
function changes(seeds) {
  const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 8 }),
    fc.constantFrom('\0\0\0\0', '\xff\xff\xff\xff', '\xff\xff\xff\x7f', '\x01\0\0\0').map(text => Buffer.from(text, 'latin1')),
    fc.constantFrom(...seeds).chain(seed => fc.tuple(place, fc.integer({ min: 1, max: 48 })).map(([at, count]) => seed.subarray(Math.floor(at * seed.length)).subarray(0, count))),
  ) // prettier-ignore
  return fc.record({ kind: fc.constantFrom('overwrite', 'insert', 'remove'), place, bytes, times: fc.constantFrom(1, 1, 1, 2, 50, 1000) }) // prettier-ignore
}

function changed(data, { kind, place, bytes, times }) {
  const at = Math.floor(place * (data.length + 1))
  const middle = kind === 'overwrite' ? [bytes] : kind === 'insert' ? Array(times).fill(bytes) : []
  const gone = kind === 'overwrite' ? bytes.length : kind === 'remove' ? bytes.length * times : 0
  return Buffer.concat([data.subarray(0, at), ...middle, data.subarray(at + gone)]).subarray(0, LONGEST)
}

function work({ name, seconds, seed, shared }) {
  const { fuzz, more } = createRequire(import.meta.url)(join(root, 'test', 'fuzz', `${name}.cjs`))
  const state = new Int32Array(shared, 0, 2) // the number of inputs so far, the length of the current one
  const present = new Uint8Array(shared, 8)
  const folder = join(root, 'test', 'fuzz', 'corpus', name)
  const seeds = readdirSync(folder).map(file => readFileSync(join(folder, file)))
  const bytes = fc
    .tuple(fc.constantFrom(...seeds), fc.array(changes(seeds), { maxLength: 6 }))
    .map(([seed, list]) => list.reduce(changed, seed))
  const input = more ? fc.oneof(bytes, more(fc, seeds)) : bytes
  const run = data => {
    present.set(data)
    state[1] = data.length
    Atomics.add(state, 0, 1)
    fuzz(data)
  }
  for (const seed of seeds) run(seed)
  const options = { seed, numRuns: 2 ** 31 - 1, interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false }
  const { failed, counterexample, errorInstance } = fc.check(fc.property(input, run), options)
  parentPort.postMessage(
    failed ? { input: counterexample[0], error: errorInstance?.stack ?? String(errorInstance) } : {},
  )
}

if (isMainThread) {
  const [name, seconds, findings, seed] = process.argv.slice(2)
  const shared = new SharedArrayBuffer(8 + LONGEST)
  const state = new Int32Array(shared, 0, 2)
  const keep = (data, why) => {
    mkdirSync(findings, { recursive: true })
    const path = join(findings, `${name}-${Date.now()}`)
    writeFileSync(path, data)
    console.log(`${why}\ninput: ${path}`)
    process.exit(1)
  }
  const data = { name, seconds: Number(seconds), seed: Number(seed), shared }
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: data })
  const current = () => new Uint8Array(shared, 8).slice(0, state[1])
  let before = -1
  setInterval(() => {
    if (state[0] === before) keep(current(), `took over ${SLOWEST} s`)
    before = state[0]
  }, SLOWEST * 1000)
  worker.on('error', error => keep(current(), error.stack))
  worker.on('message', found => {
    if (found.input) keep(found.input, found.error)
    console.log(`${state[0]} inputs`)
    process.exit(0)
  })
} else {
  work(workerData)
}
