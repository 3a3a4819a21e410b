// `npm test`: lint, format, types, then the C++ tests (plain and under sanitizers), the tap tests and those of the
// training code. Runs everything even if something fails, lists at the end what was skipped and why, and ends with one
// line that counts everything: `123 passed, 0 failed, 4 skipped`. The environment variable MOSS_REQUIRE names
// dependencies that must not be missing (scripts/skips.mjs): a test that is skipped because of one of them counts as
// failed.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { binOf, root } from './lib.mjs'
import { forbidden, skipsOfNative, skipsOfPytest, skipsOfTap } from './skips.mjs'

const total = { passed: 0, failed: 0, skipped: 0 }
const failures = []
/** { part, test, reason } */
const skips = []

forbidden([], process.env.MOSS_REQUIRE) // reports an unknown name now, not after all tests have run

/** Runs one of the package's scripts or a dependency's command and shows its output; resolves to { ok, output }. */
function execute(file, args) {
  return show(process.execPath, [file, ...args])
}

function show(program, args) {
  return new Promise(resolve => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', chunk => {
      output += chunk
      process.stdout.write(chunk)
    })
    child.on('error', () => resolve({ ok: false, output }))
    child.on('close', code => resolve({ ok: code === 0, output }))
  })
}

function skip(part, found) {
  skips.push(...found.map(({ test, reason }) => ({ part, test, reason })))
}

function count(name, { passed, failed, skipped }, ok) {
  total.passed += passed
  // A run that fails without a failed test (a crash, a timeout) counts as one failure.
  total.failed += !ok && failed === 0 ? 1 : failed
  total.skipped += skipped
  if (!ok || failed > 0) failures.push(name)
}

/** A check passes or fails as a whole. */
async function check(name, file, args) {
  console.log(`\n--- ${name}`)
  const { ok } = await execute(file, args)
  count(name, { passed: ok ? 1 : 0, failed: 0, skipped: 0 }, ok)
}

const NO_SANITIZERS = 'MSVC has no undefined-behaviour sanitizer; the other platforms run these tests.'

async function nativeTests(name, args) {
  console.log(`\n--- ${name}`)
  const { ok, output } = await execute(join(root, 'scripts', 'native-tests.mjs'), args)
  const [, passed, failed, skipped] = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/m.exec(output) ?? [
    0, 0, 0, 0,
  ]
  count(name, { passed: Number(passed), failed: Number(failed), skipped: Number(skipped ?? 0) }, ok)
  if (ok && output.includes(NO_SANITIZERS)) skip(name, [{ test: 'all', reason: NO_SANITIZERS }])
  else skip(name, skipsOfNative(output))
}

async function tapTests(name) {
  console.log(`\n--- ${name}`)
  const folder = join(root, '.tap')
  const record = join(folder, 'results.tap')
  mkdirSync(folder, { recursive: true })
  rmSync(record, { force: true })
  const { ok } = await execute(binOf('tap'), [
    'run',
    `--reporter=${process.stdout.isTTY ? 'base' : 'min'}`,
    `--output-file=${record}`,
  ])
  count(name, readTap(record), ok)
  if (existsSync(record)) skip(name, skipsOfTap(readFileSync(record, 'utf8')))
}

/** The tests of the training code, if a Python (MOSS_PYTHON, otherwise python3) has their dependencies. */
async function trainingTests(name) {
  console.log(`\n--- ${name}`)
  const python = process.env.MOSS_PYTHON || (process.platform === 'win32' ? 'python' : 'python3')
  if (spawnSync(python, ['-c', 'import torch, pytest']).status !== 0) {
    const reason = `${python} (MOSS_PYTHON) has no torch and pytest: pip install -r training/requirements-test.txt`
    console.log(reason)
    skip(name, [{ test: 'training/tests', reason }])
    return count(name, { passed: 0, failed: 0, skipped: 1 }, true)
  }
  const { ok, output } = await show(python, ['-m', 'pytest', '-q', '-rs', '-p', 'no:cacheprovider', 'training/tests'])
  const counted = what =>
    Number(new RegExp(`(\\d+) ${what}\\b`).exec(output.trimEnd().split('\n').at(-1) ?? '')?.[1] ?? 0)
  const failed = counted('failed') + counted('errors?')
  count(name, { passed: counted('passed'), failed, skipped: counted('skipped') }, ok)
  skip(name, skipsOfPytest(output))
}

/** Prints the files, and counts their tests, which are one level below a file. */
function readTap(record) {
  const result = { passed: 0, failed: 0, skipped: 0 }
  if (!existsSync(record)) return result
  for (const line of readFileSync(record, 'utf8').split('\n')) {
    if (/^(not )?ok \d+/.test(line)) console.log(line)
    const [, not, rest] = /^ {4}(not )?ok \d+(.*)$/.exec(line) ?? []
    if (rest === undefined) continue
    if (/#\s*(skip|todo)\b/i.test(rest)) result.skipped++
    else if (not !== undefined) result.failed++
    else result.passed++
  }
  return result
}

await check('lint (eslint)', binOf('eslint'), ['.'])
await check('format (prettier)', binOf('prettier'), ['--check', '--log-level', 'warn', '.'])
await check('format (clang-format)', join(root, 'scripts', 'clang-format.mjs'), ['--check'])
await check('types (tsc)', binOf('typescript', 'tsc'), ['-p', 'tsconfig.json'])
await check('build (tsc)', join(root, 'scripts', 'build-ts.mjs'), [])
await check('build (cmake-js)', binOf('cmake-js'), ['build'])
await nativeTests('C++ tests', [])
await nativeTests('C++ tests under sanitizers', ['--sanitize'])
await tapTests('tap tests')

await trainingTests('tests of the training code')

const missing = forbidden(skips, process.env.MOSS_REQUIRE)
if (skips.length > 0) console.log('\nskipped:')
for (const found of skips) {
  const must = missing.includes(found)
  console.log(`  ${found.part}: ${found.test}\n    ${found.reason}${must ? ' (MOSS_REQUIRE: this is a failure)' : ''}`)
}
// Skipped assertions within a test that was run are not in the count of skipped tests.
total.failed += missing.length
total.skipped = Math.max(0, total.skipped - missing.length)
if (missing.length > 0) failures.push(`${missing.length} skipped that MOSS_REQUIRE wants`)

if (failures.length > 0) console.log(`\nfailed: ${failures.join(', ')}`)
console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`)
process.exitCode = total.failed > 0 ? 1 : 0
