// Finds the versions of system libraries that a Linux prebuild needs, from the version names of its symbols. Run as a
// command, it fails if these are newer than docs/building.md states.

import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { prebuildFolder } from './lib.mjs'

/** The oldest supported systems: RHEL 8, Debian 10, Ubuntu 20.04. Node 20 itself needs these versions. */
export const floor = { GLIBC: '2.28', GLIBCXX: '3.4.25', CXXABI: '1.3.11' }

/** Compares dotted versions; negative if a is older than b. */
export function compareVersions(a, b) {
  const [left, right] = [a, b].map(version => version.split('.').map(Number))
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/**
 * The newest version of each library that the files of a folder need, and the file that needs it: { GLIBC: { version,
 * file } }.
 */
export function requirements(folder) {
  const newest = {}
  for (const file of readdirSync(folder).filter(name => /\.(node|so)$/.test(name))) {
    const table = execFileSync('objdump', ['-T', join(folder, file)], { encoding: 'utf8', maxBuffer: 1 << 28 })
    for (const [, library, version] of table.matchAll(/\b(GLIBC|GLIBCXX|CXXABI)_([\d.]+)/g)) {
      if (newest[library] === undefined || compareVersions(version, newest[library].version) > 0) {
        newest[library] = { version, file }
      }
    }
  }
  return newest
}

export function describeRequirements(folder) {
  const parts = Object.entries(requirements(folder)).map(
    ([library, { version, file }]) => `${library} ${version} (${file})`,
  )
  return `needs ${parts.join(', ')}`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(describeRequirements(prebuildFolder))
  for (const [library, { version, file }] of Object.entries(requirements(prebuildFolder))) {
    if (compareVersions(version, floor[library]) > 0) {
      console.error(`${file} needs ${library} ${version}; the floor is ${floor[library]}`)
      process.exitCode = 1
    }
  }
}
