// Functions that the scripts share.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's root folder. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/** The folder in prebuilds/ for this machine, with the name that node-gyp-build expects. */
export const prebuildFolder = join(root, 'prebuilds', `${process.platform}-${process.arch}`)

/**
 * npm's script: of the npm that runs this script, or the one installed with node, because another package manager may
 * run it.
 */
function npmScript() {
  const bin = dirname(process.execPath)
  const modules = [join(bin, 'node_modules'), join(bin, '..', 'lib', 'node_modules')]
  const running = process.env.npm_execpath ?? ''
  const scripts = modules.map(folder => join(folder, 'npm', 'bin', 'npm-cli.js'))
  return [running, ...scripts].find(file => basename(file) === 'npm-cli.js' && existsSync(file))
}

/**
 * Runs a command in the package's root and shows its output; throws if it fails. For `npm`, runs npm's script with node
 * if it is found, because npm.cmd cannot be spawned without a shell on Windows.
 */
export function run(command, args, options = {}) {
  const npm = command === 'npm' ? npmScript() : undefined
  const result = npm
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: 'inherit', ...options })
    : spawnSync(command, args, {
        cwd: root,
        stdio: 'inherit',
        shell: command === 'npm' && process.platform === 'win32',
        ...options,
      })
  const line = [command, ...args].join(' ')
  if (result.error) throw new Error(`${line}: ${result.error.message}`)
  if (result.status !== 0) throw new Error(`${line} ended with ${result.signal ?? `exit code ${result.status}`}`)
  return result
}

/** The path of the script of a dependency's `bin` entry, to be run by node. The dependency is resolved from `folder`. */
export function binOf(name, bin = name, folder = root) {
  const require = createRequire(join(folder, 'package.json'))
  const file = require.resolve(`${name}/package.json`)
  const manifest = require(file)
  return join(dirname(file), typeof manifest.bin === 'string' ? manifest.bin : manifest.bin[bin])
}
