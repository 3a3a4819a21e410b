import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, rename, rm, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { InvalidArgumentError } from '../errors.js'

/*
 * The cache of the Hugging Face libraries, which we share, so that nothing is downloaded twice:
 *
 *     HUB/models--OWNER--REPO/blobs/CHECKSUM                 the contents; CHECKSUM.incomplete while downloading
 *                             snapshots/COMMIT/FILE          a link to them
 *                             refs/BRANCH                    the commit
 */

const COMMIT = /^[0-9a-f]{40}$/

const expanded = (path: string): string => (/^~(?=$|[/\\])/.test(path) ? join(homedir(), path.slice(1)) : path)

const variable = (...names: string[]): string | undefined => names.map(name => process.env[name]).find(value => value)

/** `HF_HOME`, by default `~/.cache/huggingface`. */
function hubHome(): string {
  return expanded(variable('HF_HOME') ?? join(variable('XDG_CACHE_HOME') ?? join('~', '.cache'), 'huggingface'))
}

/** `HF_HUB_CACHE`, by default `hub` in `HF_HOME`. */
export function hubCache(): string {
  return expanded(variable('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE') ?? join(hubHome(), 'hub'))
}

/** `HF_TOKEN`, or the token that `hf auth login` wrote to the file `HF_TOKEN_PATH`. */
export function hubToken(): string | undefined {
  const given = variable('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN')?.trim()
  if (given) return given
  const path = expanded(variable('HF_TOKEN_PATH') ?? join(hubHome(), 'token'))
  return (existsSync(path) && readFileSync(path, 'utf8').trim()) || undefined
}

/** A repository at a revision. */
export interface RepoRef {
  /** `owner/repo`, or `repo` for the few that have no owner. */
  readonly repo: string
  /** A branch, tag or commit. */
  readonly revision: string
}

/** @throws {@link InvalidArgumentError} */
export function checkRepo({ repo, revision }: RepoRef): void {
  if (!/^[\w.-]{1,96}(\/[\w.-]{1,96})?$/.test(repo) || /\.\.|--/.test(repo)) {
    throw new InvalidArgumentError(`repo must be owner/name, not ${JSON.stringify(repo)}`, { option: 'repo' })
  }
  if (revision === '' || !isSafePath(revision)) {
    throw new InvalidArgumentError(`revision must be a branch, tag or commit, not ${JSON.stringify(revision)}`, {
      option: 'revision',
    })
  }
}

/**
 * Whether a path stays inside its folder, by the rules of every system. The server chooses the names of files, so they
 * are not trusted.
 */
export function isSafePath(path: string): boolean {
  const parts = path.split('/')
  return !/[\\\0:]/.test(path) && parts.every(part => part !== '' && part !== '.' && part !== '..')
}

export const repoFolder = (repo: string): string => join(hubCache(), `models--${repo.replaceAll('/', '--')}`)
export const isCommit = (revision: string): boolean => COMMIT.test(revision)

/** The folder of a revision's files from the last pull; undefined if there was none. */
export function cachedSnapshot({ repo, revision }: RepoRef): string | undefined {
  const folder = repoFolder(repo)
  const ref = join(folder, 'refs', revision)
  const commit = isCommit(revision) ? revision : existsSync(ref) ? readFileSync(ref, 'utf8').trim() : ''
  const snapshot = join(folder, 'snapshots', commit)
  return isCommit(commit) && existsSync(snapshot) ? snapshot : undefined
}

/**
 * Puts a blob into a snapshot: as a relative link, or, if the system does not allow links (Windows), by moving the
 * blob.
 */
export async function link(blob: string, pointer: string): Promise<void> {
  await mkdir(dirname(pointer), { recursive: true })
  await rm(pointer, { force: true })
  try {
    await symlink(relative(resolve(dirname(pointer)), resolve(blob)), pointer)
  } catch {
    await rename(blob, pointer).catch(() => copyFile(blob, pointer))
  }
}
