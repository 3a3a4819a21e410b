// Makes prebuilds/<platform>-<arch>/: the addon and the ggml libraries that it loads from its own folder.
//
// prebuildify strips and names the files. It moves the addon out of the folder in which it was built, so it gets a
// copy, and the build tree is left unchanged.

import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { binOf, prebuildFolder, root, run } from './lib.mjs'
import { describeRequirements } from './check-glibc.mjs'
import { vendorGgml } from './vendor-ggml.mjs'

const staging = join(root, 'build', 'prebuild')
const script = fileURLToPath(import.meta.url)

/** Run by prebuildify instead of node-gyp: the incremental build, then the copy for prebuildify. */
function build() {
  run(process.execPath, [binOf('cmake-js'), 'build'])
  const output = join(staging, 'build', 'Release')
  mkdirSync(output, { recursive: true })
  for (const name of readdirSync(join(root, 'build', 'Release'))) {
    if (/\.(node|so|dylib|dll)$/.test(name)) cpSync(join(root, 'build', 'Release', name), join(output, name))
  }
}

async function prebuild() {
  vendorGgml()
  rmSync(staging, { recursive: true, force: true })
  rmSync(prebuildFolder, { recursive: true, force: true })
  mkdirSync(staging, { recursive: true })
  const prebuildify = promisify(createRequire(import.meta.url)('prebuildify'))
  await prebuildify({
    name: 'moss-speech-native',
    cwd: staging,
    out: root,
    napi: true,
    strip: true,
    targets: [process.versions.node],
    nodeGyp: `"${process.execPath}" "${script}" build`,
    shell: true,
  })
  rmSync(staging, { recursive: true })
  if (readdirSync(prebuildFolder).filter(name => name.includes('ggml-cpu')).length < 2) {
    throw new Error('this compiler is too old to build for CPUs other than this one (see docs/building.md)')
  }
  console.log(`${prebuildFolder}:\n  ${readdirSync(prebuildFolder).join('\n  ')}`)
  if (process.platform === 'linux') console.log(describeRequirements(prebuildFolder))
}

try {
  if (process.argv[2] === 'build') build()
  else await prebuild()
} catch (error) {
  console.error(`prebuild: ${error.message}`)
  process.exitCode = 1
}
