// Builds a native program that is not part of the default build.

import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { binOf, root, run } from './lib.mjs'
import { vendorGgml } from './vendor-ggml.mjs'

/** The compiler's output goes to standard error, because standard output is for the program. */
const quiet = { stdio: ['ignore', process.stderr, 'inherit'] }

/**
 * Configures and builds a target with the addon's settings, or with the sanitizers in a separate build tree. Returns
 * the path of the program.
 */
export function buildNative(target, { sanitize = false } = {}) {
  vendorGgml()
  const tree = join(root, sanitize ? 'build-sanitize' : 'build')
  if (sanitize) {
    const ninja = spawnSync('ninja', ['--version']).status === 0 ? ['-G', 'Ninja'] : []
    const generator = existsSync(join(tree, 'CMakeCache.txt')) ? [] : ninja
    const options = ['-DMOSS_SANITIZE=ON', '-DCMAKE_BUILD_TYPE=RelWithDebInfo']
    run('cmake', ['-S', root, '-B', tree, ...options, ...generator], quiet)
  } else {
    run(process.execPath, [binOf('cmake-js'), 'configure'], quiet)
  }
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism())
  run('cmake', ['--build', tree, '--config', 'Release', '--target', target, '--parallel', jobs], quiet)
  return join(tree, 'Release', process.platform === 'win32' ? `${target}.exe` : target)
}
