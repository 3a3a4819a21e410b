// File systems for tests: a small one that is soon full, and single files that are mounted. They need Linux and root.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

function mount(t: Test, args: string[], at: string): boolean {
  try {
    execFileSync('mount', [...args, at], { stdio: 'ignore' })
  } catch {
    return false
  }
  t.teardown(() => {
    execFileSync('umount', ['-l', at], { stdio: 'ignore' })
    if (statSync(at).isDirectory()) rmdirSync(at)
  })
  return true
}

/**
 * Mounts a file system of `bytes` bytes until the end of the test and returns its folder; undefined if that is not
 * possible.
 */
export function mountDisk(t: Test, bytes: number): string | undefined {
  // Not in the test's own folder: that is removed before the disk is unmounted.
  const folder = mkdtempSync(join(tmpdir(), 'moss-disk-'))
  const mounted = mount(t, ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs'], folder)
  if (mounted) return folder
  rmdirSync(folder)
  return undefined
}

/** Mounts a file over another one, as containers do; false if that is not possible. */
export function mountFile(t: Test, file: string, at: string): boolean {
  return mount(t, ['--bind', file], at)
}

export const NO_MOUNT = 'nothing can be mounted here: that takes Linux and its superuser'
