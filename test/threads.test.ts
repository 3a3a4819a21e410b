import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import t from 'tap'
import { skipWithoutLimits, WITHOUT_OPTIMIZER } from './helpers/limits.js'

// No more threads can be started. The address space of a process is limited once it has loaded a model, so that there
// is none left for the stack of a new thread. Starting one then fails as it does when a container's pids limit is
// reached.

const root = resolve(__dirname, '..')
const tiny = join(root, 'test', 'golden', 'tiny.gguf')

const program = `
  const { execFileSync } = require('node:child_process')
  const { readFileSync } = require('node:fs')
  const { loadAddon } = require(${JSON.stringify(join(root, 'dist', 'lib', 'binding.js'))})
  const addon = loadAddon()
  const limit = bytes => execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + bytes + ':'])
  const code = async work => { try { await work(); return 'none' } catch (error) { return error.code } }
  const request = { textIds: Int32Array.of(1, 2, 3), output: 'text', seed: 5, maxSeconds: 1, maxTokens: 2 }
  async function main() {
    const model = await addon.loadModel(${JSON.stringify(tiny)}, { threads: 2 })
    const session = model.createSession({ seed: 1 })
    const answer = async () => { const stream = session.generate(request); while (!(await stream.next()).done); }
    const used = 1024 * Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1])
    limit(used + (96 << 20))
    const found = { load: await code(() => addon.loadModel(${JSON.stringify(tiny)}, { threads: 2 })) }
    found.generate = await code(answer)
    found.undo = await code(() => session.undo())
    limit('unlimited')
    found.again = await code(answer)
    found.loadAgain = await code(() => addon.loadModel(${JSON.stringify(tiny)}, { threads: 2 }))
    limit(used + (96 << 20))
    const other = model.createSession({ seed: 1 })
    found.other = await code(() => other.undo())
    console.log(JSON.stringify(found)) // the process must end by itself
  }
  void main()
`

const stacks = 'ulimit -S -s 262144' // of 256 MB
const skip = skipWithoutLimits(stacks)

/** Otherwise the malloc arena of each thread would reserve 64 MB of address space. */
const env = { ...process.env, MALLOC_ARENA_MAX: '1' }

t.test('without threads there is an error, the session is free and the process ends', { skip }, t => {
  const shell = `${stacks} && exec "$0" ${WITHOUT_OPTIMIZER} -e "$1"`
  const run = spawnSync('sh', ['-c', shell, process.execPath, program], { encoding: 'utf8', timeout: 120_000, env })
  t.equal(run.signal, null, 'the process has ended by itself', { stderr: run.stderr })
  t.strictSame(
    JSON.parse(run.stdout),
    {
      load: 'MOSS_OUT_OF_THREADS',
      generate: 'MOSS_OUT_OF_THREADS',
      undo: 'MOSS_OUT_OF_THREADS',
      again: 'none',
      loadAgain: 'none',
      other: 'MOSS_OUT_OF_THREADS',
    },
    run.stderr,
  )
  t.end()
})

/** For JavaScript worker threads, whose stacks are always 4 MB. */
const workers = `
  const { execFileSync } = require('node:child_process')
  const { readFileSync } = require('node:fs')
  const lib = require(${JSON.stringify(join(root, 'dist', 'lib', 'index.js'))})
  const limit = bytes => execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + bytes + ':'])
  const code = async work => { try { await work(); return 'none' } catch (error) { return error.code } }
  async function main() {
    const model = await lib.loadModel(${JSON.stringify(tiny)}, { threads: 1 })
    const session = model.createSession({ seed: 1 })
    const listen = () => session.transcribe(${JSON.stringify(join(root, 'examples', 'audio', 'seven.flac'))})
    const convert = () => lib.quantize(${JSON.stringify(tiny)}, process.argv[1], { type: 'f32' })
    const used = 1024 * Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1])
    limit(used + (2 << 20))
    const found = { listen: await code(listen), convert: await code(convert) }
    limit('unlimited')
    found.again = await code(listen)
    found.convertAgain = await code(convert)
    console.log(JSON.stringify(found)) // the process must end by itself
  }
  void main()
`

t.test('a worker thread that cannot start is the same error, and the next call tries again', { skip }, t => {
  const out = join(t.testdir(), 'out.gguf')
  const run = spawnSync(process.execPath, [WITHOUT_OPTIMIZER, '-e', workers, out], {
    encoding: 'utf8',
    timeout: 120_000,
    env,
  })
  t.equal(run.signal, null, 'the process has ended by itself', { stderr: run.stderr })
  t.strictSame(
    JSON.parse(run.stdout || 'null'),
    { listen: 'MOSS_OUT_OF_THREADS', convert: 'MOSS_OUT_OF_THREADS', again: 'none', convertAgain: 'none' },
    run.stderr,
  )
  t.end()
})
