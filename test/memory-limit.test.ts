import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { skipWithoutLimits, WITHOUT_OPTIMIZER } from './helpers/limits.js'
import { root } from './helpers/model.js'

// A process whose address space is limited after it has loaded a model. test/native/memory_test.cpp tests that every
// single allocation may fail; here allocations really fail, through all layers including JavaScript, and the process
// must survive.

const program = `
  const { execFileSync } = require('node:child_process')
  const { createHash } = require('node:crypto')
  const { readFileSync } = require('node:fs')
  const lib = require(${JSON.stringify(join(root, 'dist', 'lib', 'index.js'))})
  const limit = bytes => execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + bytes + ':'])
  const used = () => 1024 * Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1])
  const code = async work => { try { await work(); return 'none' } catch (error) { return error.code ?? error.stack } }
  const speech = { samples: Float32Array.from({ length: 16_000 }, (_, i) => Math.sin(i / 20) / 5), sampleRate: 16_000 }
  const load = () => lib.loadModel(undefined, { threads: 1 })
  async function main() {
    const model = await load()
    const answer = async session => { // the answer to a tone, without voice activity detection
      const { text, units, audio } = await session.generate({ speech }, { seed: 5, maxSeconds: 1, maxTokens: 4, vad: false }).result()
      return createHash('sha256').update(text + units).update(audio).digest('hex')
    }
    const [first, session] = [model.createSession(), model.createSession()]
    const expected = await answer(first)
    gc()
    limit(used() + (8 << 20)) // a turn takes about 20 MB, a model 70
    const found = { load: await code(load), loadAgain: await code(load) }
    found.generate = await code(() => answer(session))
    found.generateAgain = await code(() => answer(session))
    found.length = session.length
    found.less = await code(() => session.generate({ text: 'a' }, { output: 'text', maxTokens: 1 }).result())
    session.reset()
    limit('unlimited')
    found.atLast = await code(async () => (found.same = (await answer(session)) === expected))
    found.loadAtLast = await code(async () => (found.loadedSame = (await answer((await load()).createSession())) === expected))
    found.first = first.length > 0 // the first session existed all the time
    console.log(JSON.stringify(found))
  }
  void main()
`

// Small stacks and one malloc arena, because otherwise starting threads would fail first. Freed memory returns to the
// system at once. V8 reserves its memory beforehand, because it ends the process if it gets none.
const stacks = 'ulimit -S -s 2048'
const skip = skipWithoutLimits(stacks)

t.test('without memory there is an error, twice, and with memory the same answer', { skip }, t => {
  const shell = `${stacks} && exec "$0" ${WITHOUT_OPTIMIZER} --expose-gc --min-semi-space-size=32 --max-semi-space-size=32 -e "$1"`
  const run = spawnSync('sh', ['-c', shell, process.execPath, program], {
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' },
  })
  t.strictSame([run.signal, run.status], [null, 0], `the process lives: ${run.stderr}`)
  t.strictSame(JSON.parse(run.stdout), {
    load: 'MOSS_OUT_OF_MEMORY',
    loadAgain: 'MOSS_OUT_OF_MEMORY',
    generate: 'MOSS_OUT_OF_MEMORY',
    generateAgain: 'MOSS_OUT_OF_MEMORY',
    length: 0,
    less: 'none',
    atLast: 'none',
    same: true,
    loadAtLast: 'none',
    loadedSame: true,
    first: true,
  })
  t.end()
})
