// cmake-js, which builds the addon. A clone has it among its development dependencies. Users of the package need it
// only if there is no prebuild for their machine; npm then installs it into build/tools, with the versions and hashes
// of source-build/package-lock.json.

import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { binOf, root, run } from './lib.mjs'

const wanted = join(root, 'scripts', 'source-build')
const tools = join(root, 'build', 'tools')

/** Runs a command of cmake-js in the package's root; throws if it fails. */
export function cmakeJs(args, options) {
  const [from, more] = isInstalled(root) ? [root, []] : [fetched(), [`--CDMOSS_NODE_ADDON_API=${addonApi()}`]]
  run(process.execPath, [binOf('cmake-js', 'cmake-js', from), ...args, ...more], options)
}

/** Whether both packages can be resolved from `folder`, in suitable major versions. */
function isInstalled(folder) {
  const require = createRequire(join(folder, 'package.json'))
  try {
    return ['cmake-js', 'node-addon-api'].every(name => require(`${name}/package.json`).version.startsWith('8.'))
  } catch {
    return false
  }
}

/** The folder into which npm has installed them. */
function fetched() {
  if (isInstalled(tools)) return tools
  console.error('moss-speech-native: fetching what a source build needs (cmake-js, node-addon-api)')
  mkdirSync(tools, { recursive: true })
  for (const name of ['package.json', 'package-lock.json']) cpSync(join(wanted, name), join(tools, name))
  // Overrides the settings of the npm that runs this installation.
  const flags = ['--global=false', '--ignore-scripts', '--package-lock=true', '--omit=optional', '--dry-run=false']
  try {
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...flags], {
      cwd: tools,
      env: { ...process.env, npm_config_prefix: undefined, npm_config_local_prefix: undefined },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  } catch (error) {
    const cure = 'without a network: `npm install cmake-js@8 node-addon-api@8` in your project first'
    throw new Error(`cmake-js and node-addon-api could not be fetched: ${error.message}; ${cure}`, { cause: error })
  }
  if (!isInstalled(tools)) throw new Error(`npm left no cmake-js in ${tools}`)
  return tools
}

/** Only CMake reads the path, so slashes also work on Windows. */
function addonApi() {
  const folder = join(tools, 'node_modules', 'node-addon-api')
  if (!existsSync(join(folder, 'napi.h'))) throw new Error(`there is no napi.h in ${folder}`)
  return folder.replaceAll('\\', '/')
}
