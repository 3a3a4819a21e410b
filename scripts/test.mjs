// `npm test`: lint, format, types, then the C++ tests (plain and under sanitizers) and the tap tests. Runs everything even
// when something fails, and ends with one line that counts all of it: `123 passed, 0 failed, 4 skipped`.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { binOf, root } from './lib.mjs'

const total = { passed: 0, failed: 0, skipped: 0 }
const failures = []

/** Runs one of the package's scripts or a dependency's command with its output shown; resolves to { ok, output }. */
function execute(file, args) {
  return new Promise(resolve => {
    const child = spawn(process.execPath, [file, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', chunk => {
      output += chunk
      process.stdout.write(chunk)
    })
    child.on('close', code => resolve({ ok: code === 0, output }))
  })
}

function count(name, { passed, failed, skipped }, ok) {
  total.passed += passed
  // A run that ends badly without a failed test (a crash, a timeout) is a failure all the same.
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

async function nativeTests(name, args) {
  console.log(`\n--- ${name}`)
  const { ok, output } = await execute(join(root, 'scripts', 'native-tests.mjs'), args)
  const [, passed, failed, skipped] = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/m.exec(output) ?? [
    0, 0, 0, 0,
  ]
  count(name, { passed: Number(passed), failed: Number(failed), skipped: Number(skipped ?? 0) }, ok)
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
}

/** Prints the files, and counts their tests: what stands one level below a file. */
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
await check('build (tsc)', binOf('typescript', 'tsc'), ['-p', 'tsconfig.build.json'])
await check('build (cmake-js)', binOf('cmake-js'), ['build'])
await nativeTests('C++ tests', [])
await nativeTests('C++ tests under sanitizers', ['--sanitize'])
await tapTests('tap tests')

if (failures.length > 0) console.log(`\nfailed: ${failures.join(', ')}`)
console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`)
process.exitCode = total.failed > 0 ? 1 : 0
