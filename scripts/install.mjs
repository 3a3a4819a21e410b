// npm's install step. Uses the prebuild if there is one that this machine can load, which needs no compiler and no
// network. Otherwise builds the addon from source, incrementally if build/ exists. `MOSS_SPEECH_BUILD_FROM_SOURCE=true`
// forces the latter, and so does npm's `build_from_source`, about which newer versions of npm print a warning.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { cmakeJs } from './cmake-js.mjs'
import { prebuildFolder } from './lib.mjs'
import { vendorGgml } from './vendor-ggml.mjs'

/** Tries to load the prebuild in a separate process, so that a missing system library does not end the installation. */
function prebuildLoads() {
  if (!existsSync(prebuildFolder)) return false
  const addons = readdirSync(prebuildFolder).filter(name => name.endsWith('.node'))
  return addons.some(name => {
    const load = `require(${JSON.stringify(join(prebuildFolder, name))})`
    const { status, stderr } = spawnSync(process.execPath, ['-e', load], { encoding: 'utf8' })
    if (status !== 0)
      console.error(`moss-speech-native: the prebuild does not load here, building from source\n${stderr}`)
    return status === 0
  })
}

const { MOSS_SPEECH_BUILD_FROM_SOURCE, npm_config_build_from_source } = process.env
const fromSource = [MOSS_SPEECH_BUILD_FROM_SOURCE, npm_config_build_from_source].includes('true')

if (fromSource || !prebuildLoads()) {
  try {
    vendorGgml()
    cmakeJs(['build'])
  } catch (error) {
    console.error(
      `moss-speech-native: the addon could not be built: ${error.message}\n` +
        'A source build needs CMake 3.18 or newer and a C++17 compiler (GCC 9, Clang 12, Xcode 14, Visual Studio 2022, or newer);\n' +
        'see docs/building.md.',
    )
    process.exitCode = 1
  }
}
