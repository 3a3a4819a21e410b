// Compiles lib, bin, bench and examples to dist: `npm run build:ts`. What an earlier build made of a source that is gone
// is deleted first: whoever still asks for it fails here as on a new machine.

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { binOf, root, run } from './lib.mjs'

const dist = join(root, 'dist')
const files = existsSync(dist) ? readdirSync(dist, { recursive: true }) : []
for (const file of files) {
  const [, source] = /^(.+)(?:\.d\.ts|\.js(?:\.map)?)$/.exec(file) ?? []
  if (source !== undefined && !existsSync(join(root, `${source}.ts`))) rmSync(join(dist, file))
}
run(process.execPath, [binOf('typescript', 'tsc'), '-p', 'tsconfig.build.json'])
