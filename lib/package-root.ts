import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { AddonError } from './errors.js'

/*
 * Finds the files of this package that a bundler does not include: the addon with ggml's libraries, nano, and the
 * scripts of worker threads. Electron, too, needs care: it packs files into an archive that only JavaScript can read.
 */

const NAME = 'moss-speech-native'

/** The folder of this file, or of the bundle that contains it. An ES module has no `__dirname`. */
const here = typeof __dirname === 'string' ? __dirname : dirname(process.argv[1] ?? process.execPath)

let root: string | undefined

/**
 * The package's root folder: above this file, which is lib/package-root.ts or dist/lib/package-root.js; in a bundle,
 * the installed package that Node resolves from the bundle's folder.
 *
 * @throws {@link AddonError} this is a bundle, and the package is not installed where it runs
 */
export function packageRoot(): string {
  return (root ??= ['..', '../..'].map(up => join(here, up)).find(isPackage) ?? installedFor(here))
}

/** The script of a worker thread. `path` is relative to lib. */
export function scriptPath(...path: string[]): string {
  return join(packageRoot(), 'dist', 'lib', ...path)
}

/**
 * The path at which native code can read a file. Electron shows unpacked files as if they were inside its archive
 * `app.asar`, but they are in `app.asar.unpacked`.
 */
export function unpacked(path: string): string {
  const outside = path.replace(/\.asar(?=[\\/])/, '.asar.unpacked')
  return outside !== path && existsSync(outside) ? outside : path
}

function isPackage(folder: string): boolean {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown }).name === NAME
  } catch {
    return false
  }
}

function installedFor(folder: string): string {
  try {
    return dirname(createRequire(join(folder, 'bundle.js')).resolve(`${NAME}/package.json`))
  } catch (cause) {
    throw new AddonError(
      `${NAME} is part of a bundle, and its addon and model cannot be found from ${folder}: tell the bundler that ${NAME} ` +
        `is external (esbuild: --external:${NAME}), and install it where the bundle runs (docs/bundling.md)`,
      { path: folder },
      { cause },
    )
  }
}
