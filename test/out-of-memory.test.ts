// Memory runs out on the thread of a session, at every allocation between the beginning of a turn and the delivery of
// its result to JavaScript. The promise or the stream must fail with MOSS_OUT_OF_MEMORY, and process and session must
// continue to work.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { root, TINY } from './helpers/model.js'

const folder = t.testdir()
const library = join(folder, 'failing-malloc.node')
const compiled =
  process.platform === 'linux' &&
  spawnSync('cc', [
    ...['-shared', '-fPIC', '-O1', '-o', library, join(root, 'test', 'helpers', 'failing-malloc.c')],
    ...['-I', join(root, 'node_modules', 'node-api-headers', 'include'), '-ldl', '-lpthread'],
  ]).status === 0
const skip = compiled ? false : 'puts a malloc of its own before that of glibc, with a C compiler'

const program = `
  const memory = require(${JSON.stringify(library)})
  const { loadAddon } = require(${JSON.stringify(join(root, 'dist', 'lib', 'binding.js'))})
  const code = async work => { try { await work(); return 'none' } catch (error) { return error.code } }
  const request = { textIds: Int32Array.of(1, 2, 3), output: 'text', seed: 5, maxSeconds: 1, maxTokens: 2 }
  const hum = Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i / 20) / 5)
  async function main() {
    const model = await loadAddon().loadModel(${JSON.stringify(TINY)}, { threads: 1 })
    const session = model.createSession({ seed: 1 })
    const works = {
      stream: async () => { session.reset(); const stream = session.generate(request); while (!(await stream.next()).done); },
      promise: () => session.encode(hum),
      undo: () => session.undo(),
    }
    memory.mark(true)
    await works.stream()
    memory.mark(false)
    const found = {}
    for (const [name, work] of Object.entries(works)) {
      await code(work)
      memory.arm(Number.MAX_SAFE_INTEGER, false)
      await code(work)
      const count = memory.disarm()
      const codes = (found[name] = { count, failed: {}, after: {} })
      const step = Math.max(1, Math.floor(count / 60))
      for (let passing = 0; passing < count; passing += passing < 20 || passing > count - 20 ? 1 : step) {
        for (const once of [true, false]) {
          memory.arm(passing, once)
          const failed = await code(work)
          memory.disarm()
          const after = await code(work)
          codes.failed[failed] = (codes.failed[failed] ?? 0) + 1
          codes.after[after] = (codes.after[after] ?? 0) + 1
        }
      }
    }
    console.log(JSON.stringify(found))
  }
  void main()
`

t.test('a session whose thread gets no memory', { skip }, t => {
  const run = spawnSync(process.execPath, ['-e', program], {
    encoding: 'utf8',
    timeout: 240_000,
    env: { ...process.env, NODE_OPTIONS: '', LD_PRELOAD: library },
  })
  t.equal(run.signal, null, 'the process goes on', { stderr: run.stderr })
  const found = JSON.parse(run.stdout || '{}') as Record<
    string,
    { count: number; failed: Record<string, number>; after: Record<string, number> }
  >
  for (const name of ['stream', 'promise']) {
    const { count = 0, failed = {}, after = {} } = found[name] ?? {}
    t.ok(count > 20, `${name}: ${count} allocations`)
    t.ok((failed.MOSS_OUT_OF_MEMORY ?? 0) > 20, `${name}: ${JSON.stringify(failed)}`)
    t.same(
      Object.keys(failed).filter(code => !['none', 'MOSS_OUT_OF_MEMORY'].includes(code)),
      [],
      'no other error',
    )
    t.same(Object.keys(after), ['none'], 'and the session does its next task')
  }
  t.ok(found.undo, 'undo, too')
  t.end()
})
