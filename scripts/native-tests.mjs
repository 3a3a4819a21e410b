// Builds and runs the C++ tests: as the addon is built, or with --sanitize under the address and undefined-behaviour
// sanitizers, in a tree of their own. Further arguments choose tests by a part of their names. The last line of the output
// is the tests' own, such as `12 passed, 0 failed, 1 skipped`.

import { run } from './lib.mjs'
import { buildNative } from './native-build.mjs'

const sanitize = process.argv.includes('--sanitize')
const names = process.argv.slice(2).filter(argument => argument !== '--sanitize')

if (sanitize && process.platform === 'win32') {
  console.log('MSVC has no undefined-behaviour sanitizer; the other platforms run these tests.')
  console.log('0 passed, 0 failed')
} else {
  try {
    run(buildNative('moss_native_tests', { sanitize }), names)
  } catch (error) {
    console.error(`native tests: ${error.message}`)
    process.exitCode = 1
  }
}
