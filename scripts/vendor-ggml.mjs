// Unpacks ggml's source into vendor/ggml: the pinned npm tarball of node-llama-cpp carries a git bundle of llama.cpp.
// Our changes to it are in ggml.patch, which explains them. Does nothing if the stamp says that the right version is
// unpacked, as it always is in a published package.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, run } from './lib.mjs'

export const source = {
  package: 'node-llama-cpp@3.22.1',
  integrity: 'sha512-bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw==',
  bundle: 'package/llama/gitRelease.bundle',
}
/** The backends that we build. The other folders ggml/src/ggml-* are not needed. */
const backends = ['ggml-blas', 'ggml-cpu', 'ggml-cuda', 'ggml-metal']
const target = join(root, 'vendor', 'ggml')
const stampFile = join(target, 'stamp.json')
const patch = join(root, 'scripts', 'ggml.patch')
const patchHash = createHash('sha256').update(readFileSync(patch, 'utf8').replaceAll('\r', '')).digest('hex')
const stamp = JSON.stringify({ ...source, backends, patch: patchHash }, null, 2) + '\n'

export function vendorGgml() {
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  requireTool('git', 'git unpacks the bundle that holds ggml')
  const temporary = mkdtempSync(join(tmpdir(), 'moss-ggml-'))
  try {
    const clone = cloneLlamaCpp(temporary)
    for (const name of readdirSync(join(clone, 'ggml', 'src'), { withFileTypes: true })) {
      if (name.isDirectory() && name.name.startsWith('ggml-') && !backends.includes(name.name)) {
        rmSync(join(clone, 'ggml', 'src', name.name), { recursive: true })
      }
    }
    install(clone)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  console.error(`vendor/ggml: unpacked from ${source.package}`)
}

/** Unpacks llama.cpp from the pinned bundle into `folder`, with our changes to ggml, and returns its path. */
export function cloneLlamaCpp(folder) {
  const clone = unpack(download(folder), folder)
  run('git', ['apply', patch], { cwd: clone })
  return clone
}

/** Fetches the tarball with npm and refuses it if its hash differs. Returns its path. */
function download(folder) {
  console.error(`vendor/ggml: fetching ${source.package} (35 MB)`)
  run('npm', ['pack', source.package, '--silent', '--ignore-scripts', '--pack-destination', folder], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const name = readdirSync(folder).find(file => file.endsWith('.tgz'))
  if (name === undefined) throw new Error(`npm pack ${source.package} left no tarball`)
  const tarball = join(folder, name)
  const found = 'sha512-' + createHash('sha512').update(readFileSync(tarball)).digest('base64')
  if (found !== source.integrity) {
    throw new Error(`${source.package} is not the pinned tarball:\n  expected ${source.integrity}\n  found    ${found}`)
  }
  return tarball
}

/** Extracts the bundle from the tarball and clones it. Returns the path of the clone. */
function unpack(tarball, folder) {
  // A path relative to the working directory works with both bsdtar (Windows, macOS) and GNU tar. GNU tar would take
  // the drive letter of an absolute path for a host name.
  run('tar', ['-xzf', tarball.slice(folder.length + 1), source.bundle], { cwd: folder })
  const clone = join(folder, 'llama.cpp')
  const settings = ['-c', 'core.autocrlf=false', '-c', 'advice.detachedHead=false']
  run('git', [...settings, 'clone', '--quiet', '--depth', '1', join(folder, source.bundle), clone], { cwd: folder })
  return clone
}

/** Replaces the old folder only when the new one is complete. */
function install(clone) {
  const next = `${target}.next`
  rmSync(next, { recursive: true, force: true })
  mkdirSync(next, { recursive: true })
  cpSync(join(clone, 'ggml'), join(next, 'ggml'), { recursive: true, preserveTimestamps: true })
  cpSync(join(clone, 'LICENSE'), join(next, 'LICENSE'))
  writeFileSync(join(next, 'stamp.json'), stamp)
  rmSync(target, { recursive: true, force: true })
  renameSync(next, target)
}

function requireTool(tool, why) {
  try {
    execFileSync(tool, ['--version'], { stdio: 'ignore' })
  } catch {
    throw new Error(`${tool} is not installed: ${why}`)
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    vendorGgml()
  } catch (error) {
    console.error(`vendor/ggml: ${error.message}`)
    process.exitCode = 1
  }
}
