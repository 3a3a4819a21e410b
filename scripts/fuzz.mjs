// Fuzzes the code that reads files: `npm run fuzz -- [--seconds 120] [--seed N] [name…]`.
//
// - model: C++, by libFuzzer with the address and undefined-behaviour sanitizers (Clang): the metadata of a GGUF file,
//   which is loaded and run
// - wav: JavaScript, by fast-check, as the next two: the bytes of a wav file
// - tokenizer: a tokenizer.json
// - template: a chat template
//
// Each run starts with the committed corpora (test/fuzz/corpus/NAME); new inputs of libFuzzer are kept in
// build-fuzz/corpus/NAME for the next run. An input that crashes, hangs or causes an unexpected error is written to
// build-fuzz/findings and fails the run. With a seed, the inputs are the same each time, as far as the time allows; CI
// has a seed, so that it fails only because of changes to the code. The last line is `4 passed, 0 failed`.

import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root, run } from './lib.mjs'
import { vendorGgml } from './vendor-ggml.mjs'

const NATIVE = ['model']
const SCRIPTS = ['wav', 'tokenizer', 'template']
const SLOWEST = 60 // seconds that an input may take before it counts as a hang
const MEGABYTES = 2048

const tree = join(root, 'build-fuzz')
const corpora = join(root, 'test', 'fuzz', 'corpus')
const findings = join(tree, 'findings')

/** The newest Clang on the PATH that is recent enough for its sanitizers. */
function clang() {
  const names = ['clang', ...[22, 21, 20, 19, 18, 17, 16, 15, 14].map(version => `clang-${version}`)]
  const found = names.find(name => spawnSync(name, ['--version']).status === 0)
  if (!found)
    throw new Error('the target "model" needs Clang with its run-time library (Debian: clang libclang-rt-dev)')
  return { CC: found, CXX: found.replace('clang', 'clang++') }
}

function buildNative(name) {
  vendorGgml()
  const env = { ...process.env, ...clang() }
  const options = ['-DMOSS_SANITIZE=ON', '-DMOSS_FUZZ=ON', '-DMOSS_WERROR=OFF', '-DCMAKE_BUILD_TYPE=RelWithDebInfo']
  const ninja = spawnSync('ninja', ['--version']).status === 0 && !existsSync(join(tree, 'CMakeCache.txt'))
  run('cmake', ['-S', root, '-B', tree, ...options, ...(ninja ? ['-G', 'Ninja'] : [])], { env, stdio: 'ignore' })
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism())
  run('cmake', ['--build', tree, '--target', `moss_fuzz_${name}`, '--parallel', jobs], { env })
  return join(tree, 'Release', `moss_fuzz_${name}`)
}

/** Runs one target; returns whether there are no findings. */
function fuzz(name, seconds, seed) {
  const seeds = join(corpora, name)
  console.log(`\n--- ${name}: ${seconds} s from seed ${seed}, ${readdirSync(seeds).length} files of the corpus`)
  if (!NATIVE.includes(name)) {
    const args = [join(root, 'scripts', 'fuzz-script.mjs'), name, String(seconds), findings, String(seed)]
    return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0
  }
  const work = join(tree, 'corpus', name)
  mkdirSync(work, { recursive: true })
  mkdirSync(findings, { recursive: true })
  const options = [
    `-max_total_time=${seconds}`,
    `-timeout=${SLOWEST}`,
    `-seed=${seed}`,
    `-artifact_prefix=${join(findings, `${name}-`)}`,
    '-max_len=65536',
    '-print_final_stats=1',
    `-rss_limit_mb=${2 * MEGABYTES}`,
    `-malloc_limit_mb=${MEGABYTES}`,
  ]
  const env = { ...process.env, ASAN_OPTIONS: 'allocator_may_return_null=1' }
  return spawnSync(buildNative(name), [...options, work, seeds], { cwd: root, stdio: 'inherit', env }).status === 0
}

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
  allowPositionals: true,
})
const known = [...NATIVE, ...SCRIPTS]
const unknown = positionals.find(name => !known.includes(name))
const seconds = Number(values.seconds)
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
if (values.help || unknown !== undefined || !(seconds > 0) || !Number.isInteger(seed)) {
  console.log(`usage: npm run fuzz -- [--seconds 120] [--seed N] [${known.join('|')}]…`)
  process.exitCode = values.help ? 0 : 2
} else {
  const failed = (positionals.length > 0 ? positionals : known).filter(name => !fuzz(name, seconds, seed))
  if (failed.length > 0) console.log(`\nfindings of ${failed.join(', ')}: ${findings}`)
  const count = positionals.length > 0 ? positionals.length : known.length
  console.log(`\n${count - failed.length} passed, ${failed.length} failed`)
  process.exitCode = failed.length > 0 ? 1 : 0
}
