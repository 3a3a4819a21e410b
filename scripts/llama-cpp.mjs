// Builds the program test/golden/llama-cpp/reference.cpp with llama.cpp from the same pinned bundle as our ggml, in a
// folder of the user's cache. It makes the golden logits and token ids, and is the peer in benchmarks.
//
//     node scripts/llama-cpp.mjs      prints the path of the program; the first run compiles for some minutes

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, run } from './lib.mjs'
import { cloneLlamaCpp, source } from './vendor-ggml.mjs'

const cache = join(
  process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
  'moss-speech',
  source.package.replace('@', '-'),
)

/** Returns the path of the program. `jobs` is the number of parallel compilers. */
export function llamaCppReference(jobs = 1) {
  const clone = join(cache, 'llama.cpp')
  if (!existsSync(clone)) {
    mkdirSync(cache, { recursive: true })
    const temporary = mkdtempSync(join(tmpdir(), 'moss-llama-'))
    try {
      renameSync(cloneLlamaCpp(temporary), clone)
    } catch (error) {
      if (error.code !== 'EXDEV') throw error // another file system
      run('cp', ['-r', join(temporary, 'llama.cpp'), clone])
    } finally {
      rmSync(temporary, { recursive: true, force: true })
    }
  }
  const tree = join(cache, 'build')
  const sources = join(root, 'test', 'golden', 'llama-cpp')
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'] }
  run('cmake', ['-S', sources, '-B', tree, '-DCMAKE_BUILD_TYPE=Release', `-DLLAMA_CPP=${clone}`], quiet)
  run('cmake', ['--build', tree, '--config', 'Release', '--target', 'reference', '--parallel', String(jobs)], quiet)
  return join(tree, process.platform === 'win32' ? 'reference.exe' : 'reference')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(llamaCppReference())
