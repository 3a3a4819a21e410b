import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './model.js'

/**
 * Runs a program in a separate process with `gc()`, and returns the JSON that it printed. The program may use await,
 * `lib` (this package), `collected(object)` (whether the object is collected once it is no longer referenced) and
 * `turn()` (lets finalizers run).
 */
export async function runProgram(body: string, env: NodeJS.ProcessEnv = {}): Promise<unknown> {
  const program = `
    const lib = require(${JSON.stringify(join(root, 'dist', 'lib', 'index.js'))})
    const { setTimeout: sleep } = require('node:timers/promises')
    const turn = async () => { gc(); await sleep(20); gc(); await sleep(20) }
    const weak = []
    const watch = object => { weak.push(new WeakRef(object)); return object }
    const collected = () => weak.filter(ref => ref.deref() === undefined).length
    const main = async () => {${body}}
    main().then(result => console.log(JSON.stringify(result)))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '-e', program], {
    cwd: root,
    env: { ...process.env, ...env },
    timeout: 240_000,
  })
  return JSON.parse(stdout) as unknown
}
