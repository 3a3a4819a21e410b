import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './model.js'

/**
 * Runs a program in a process of its own, in which it can `gc()`, and gives what it printed as JSON. The program has `lib` (this package),
 * `collected(object)` (whether it was, as soon as nobody holds it), `turn()` (lets finalizers run) and may await.
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
