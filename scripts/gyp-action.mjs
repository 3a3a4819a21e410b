// The action of binding.gyp: builds the addon and the ggml libraries and puts them into node-gyp's product folder.
// CMake gets its own build tree below build/, because node-gyp's makefiles are in build/ itself.

import { resolve } from 'node:path'
import { cmakeJs } from './cmake-js.mjs'
import { vendorGgml } from './vendor-ggml.mjs'

const product = resolve(process.argv[2])

try {
  vendorGgml()
  cmakeJs(['build', '--out', 'build/cmake', `--CDMOSS_OUTPUT_DIR=${product}`])
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
