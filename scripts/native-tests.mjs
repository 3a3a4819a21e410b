// Builds and runs the C++ tests: with the addon's settings, or with --sanitize under the address and
// undefined-behaviour sanitizers, in a separate build tree. Further arguments select tests by parts of their names. The
// last line of the output is that of the tests, such as `12 passed, 0 failed, 1 skipped`.

import { join } from 'node:path'
import { root, run } from './lib.mjs'
import { buildNative } from './native-build.mjs'

const sanitize = process.argv.includes('--sanitize')
const names = process.argv.slice(2).filter(argument => argument !== '--sanitize')

if (sanitize && process.platform === 'win32') {
  console.log('MSVC has no undefined-behaviour sanitizer; the other platforms run these tests.')
  console.log('0 passed, 0 failed')
} else {
  try {
    // Some tests request more memory than there is, which must be an error and not end the process.
    const env = {
      ...process.env,
      ASAN_OPTIONS: `allocator_may_return_null=1:${process.env.ASAN_OPTIONS ?? ''}`,
      LSAN_OPTIONS: `suppressions=${join(root, 'test', 'native', 'lsan.supp')}:print_suppressions=0`,
    }
    run(buildNative('moss_native_tests', { sanitize }), names, { env })
  } catch (error) {
    console.error(`native tests: ${error.message}`)
    process.exitCode = 1
  }
}
