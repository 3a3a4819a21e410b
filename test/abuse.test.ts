// Turns that are aborted, left, interrupted and forgotten, at random, on worker threads (bench/abuse.mjs runs thousands of them).

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { root } from './helpers/model.js'

t.test('no chunk is lost, doubled or out of order', async t => {
  const program = join(root, 'bench', 'abuse.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [
    program,
    '--turns',
    '400',
    '--workers',
    '2',
    '--json',
  ])
  const { counts, wrong } = JSON.parse(stdout) as { counts: Record<string, number>; wrong: string[] }
  t.same(wrong, [])
  t.equal(
    Object.values(counts).reduce((a, b) => a + b),
    400,
  )
  t.ok(
    Object.values(counts).every(count => count > 10),
    JSON.stringify(counts),
  )
})
