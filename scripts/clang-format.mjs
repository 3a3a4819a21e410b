// Formats our C++ (--write), or lists the files that are not formatted as .clang-format says and fails (--check).

import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { binOf, root, run } from './lib.mjs'

const files = ['native', join('test', 'native')]
  .flatMap(folder => readdirSync(join(root, folder), { recursive: true }).map(name => join(folder, name)))
  .filter(name => /\.(cpp|h|inc|cu|cuh)$/.test(name))
  .map(name => relative('.', name))

try {
  const mode = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror']
  run(process.execPath, [binOf('clang-format-node', 'clang-format'), ...mode, ...files])
} catch {
  console.error('clang-format: run `npm run format`')
  process.exitCode = 1
}
