// npm's install step. Takes the prebuild where there is one that this machine can load (no compiler, no network);
// otherwise builds the addon from source, incrementally when build/ is there. `MOSS_SPEECH_BUILD_FROM_SOURCE=true` forces
// the latter, and so does npm's `build_from_source`, which newer versions of npm warn of.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { cmakeJs } from './cmake-js.mjs'
import { prebuildFolder } from './lib.mjs'
import { vendorGgml } from './vendor-ggml.mjs'

/** Loads the prebuild in a process of its own: a library that this system lacks must not end the installation. */
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
