// What the scripts share.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's root folder. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/** The folder of prebuilds/ for this machine, named as node-gyp-build looks for it. */
export const prebuildFolder = join(root, 'prebuilds', `${process.platform}-${process.arch}`)

/** npm's own script: that of the npm that runs us, or the one beside node; other package managers run us too. */
function npmScript() {
  const bin = dirname(process.execPath)
  const modules = [join(bin, 'node_modules'), join(bin, '..', 'lib', 'node_modules')]
  const running = process.env.npm_execpath ?? ''
  const scripts = modules.map(folder => join(folder, 'npm', 'bin', 'npm-cli.js'))
  return [running, ...scripts].find(file => basename(file) === 'npm-cli.js' && existsSync(file))
}

/**
 * Runs a command to its end in the package's root, with its output shown; throws when it fails. `npm` runs by npm's own
 * script where there is one, since npm.cmd cannot be spawned without a shell on Windows.
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

/** The path of the file behind a dependency's `bin` entry, to be run by node; the dependency is one of `folder`. */
export function binOf(name, bin = name, folder = root) {
  const require = createRequire(join(folder, 'package.json'))
  const file = require.resolve(`${name}/package.json`)
  const manifest = require(file)
  return join(dirname(file), typeof manifest.bin === 'string' ? manifest.bin : manifest.bin[bin])
}
