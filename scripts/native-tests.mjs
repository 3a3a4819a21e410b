// Builds and runs the C++ tests: as the addon is built, or with --sanitize under the address and undefined-behaviour
// sanitizers, in a tree of their own. Further arguments choose tests by a part of their names. The last line of the output
// is the tests' own, such as `12 passed, 0 failed, 1 skipped`.

import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { binOf, root, run } from './lib.mjs'
import { vendorGgml } from './vendor-ggml.mjs'

const sanitize = process.argv.includes('--sanitize')
const names = process.argv.slice(2).filter(argument => argument !== '--sanitize')

/** Configures and builds the tests; returns the program's path. */
function build() {
  vendorGgml()
  const tree = join(root, sanitize ? 'build-sanitize' : 'build')
  if (sanitize) {
    const ninja = spawnSync('ninja', ['--version']).status === 0 ? ['-G', 'Ninja'] : []
    const configured = existsSync(join(tree, 'CMakeCache.txt'))
    run('cmake', [
      '-S',
      root,
      '-B',
      tree,
      '-DMOSS_SANITIZE=ON',
      '-DCMAKE_BUILD_TYPE=RelWithDebInfo',
      ...(configured ? [] : ninja),
    ])
  } else {
    run(process.execPath, [binOf('cmake-js'), 'configure'])
  }
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism())
  run('cmake', ['--build', tree, '--config', 'Release', '--target', 'moss_native_tests', '--parallel', jobs])
  return join(tree, 'Release', process.platform === 'win32' ? 'moss_native_tests.exe' : 'moss_native_tests')
}

if (sanitize && process.platform === 'win32') {
  console.log('MSVC has no undefined-behaviour sanitizer; the other platforms run these tests.')
  console.log('0 passed, 0 failed')
} else {
  try {
    run(build(), names)
  } catch (error) {
    console.error(`native tests: ${error.message}`)
    process.exitCode = 1
  }
}
