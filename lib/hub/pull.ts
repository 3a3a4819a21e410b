import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { abortedBy, DownloadError, InvalidArgumentError } from '../errors.js'
import { writing } from '../files.js'
import { checkOptions, checkSignal } from '../options.js'
import { checkRepo, hubCache, hubToken, isCommit, isSafePath, link, repoFolder, type RepoRef } from './cache.js'
import { download, type RemoteFile } from './download.js'
import { get, TransientError, type Endpoint } from './request.js'

/** Options of {@link pull}. */
export interface PullOptions {
  /** A branch, tag or commit. Default: `main`. */
  revision?: string
  /**
   * Names of files, or patterns with `*` (any part of a path). Default: what `convert` needs, that is the weights
   * (safetensors, otherwise ONNX, otherwise GGUF) and the small files beside them.
   */
  files?: readonly string[]
  /** Stops the download. The bytes so far are kept, and the next call resumes from there. */
  signal?: AbortSignal
  onProgress?: (progress: PullProgress) => void
}

export interface PullProgress {
  file: string
  /** From 1. */
  index: number
  count: number
  /** The bytes of all files so far, and in total. */
  done: number
  total: number
}

export interface Pulled {
  repo: string
  revision: string
  commit: string
  /** The snapshot's folder, with the files under their names. */
  folder: string
  files: { name: string; bytes: number; /** It had been downloaded before. */ cached: boolean }[]
}

const DEFAULT_ENDPOINT = 'https://huggingface.co'
const TRIES = 4
/** The files that are downloaded beside the weights. */
const SMALL_FILES = /\.(json|txt|md|model|jinja)$|(^|\/)LICENSE[^/]*$/i
const NOT_FOR_US = /(^|\/)(onnx|openvino|coreml|flax|tf|original)\//i

/**
 * Downloads a repository's files from the Hugging Face Hub, or from the server that `HF_ENDPOINT` names, into the cache
 * that the Hugging Face libraries share (`HF_HOME`, `HF_HUB_CACHE`). Resumes interrupted downloads and verifies every
 * checksum.
 *
 * @param repo - `owner/name`
 * @throws {@link DownloadError} says what was refused and what helps; {@link FileError} the disk is full …; {@link
 * AbortedError}; {@link InvalidArgumentError}
 */
export async function pull(repo: string, options: PullOptions = {}): Promise<Pulled> {
  checkOptions('options', options, ['revision', 'files', 'signal', 'onProgress'])
  const { revision = 'main', files: wanted, onProgress } = options
  const signal = checkSignal(options.signal)
  const ref = { repo, revision }
  checkRepo(ref)
  const endpoint = hubEndpoint()
  const { commit, files } = await listFiles(endpoint, ref, signal)
  const chosen = choose(files, wanted, ref)
  const home = repoFolder(repo)
  const folder = join(home, 'snapshots', commit)
  const total = chosen.reduce((sum, file) => sum + file.size, 0)
  const pulled: Pulled['files'] = []
  let before = 0
  for (const [i, file] of chosen.entries()) {
    if (signal?.aborted) throw abortedBy(signal)
    const report = (done: number): void =>
      onProgress?.({ file: file.name, index: i + 1, count: chosen.length, done: before + done, total })
    const blob = join(home, 'blobs', file.checksum.hex)
    const pointer = join(folder, ...file.name.split('/'))
    const cached = existsSync(pointer) || existsSync(blob)
    report(0)
    if (!cached) {
      const path = file.name.split('/').map(encodeURIComponent).join('/')
      const url = `${endpoint.url}/${repo}/resolve/${commit}/${path}`
      const lock = join(hubCache(), '.locks', `models--${repo.replaceAll('/', '--')}`, `${file.checksum.hex}.moss`)
      await download(endpoint, url, file, { ...ref, file: file.name }, blob, lock, { signal, onBytes: report })
    }
    if (!existsSync(pointer)) await writing(pointer, () => link(blob, pointer))
    before += file.size
    report(0)
    pulled.push({ name: file.name, bytes: file.size, cached })
  }
  if (!isCommit(revision)) {
    const refFile = join(home, 'refs', revision)
    await writing(refFile, async () => {
      await mkdir(dirname(refFile), { recursive: true })
      await writeFile(refFile, commit)
    })
  }
  return { repo, revision, commit, folder, files: pulled }
}

function hubEndpoint(): Endpoint {
  const given = process.env.HF_ENDPOINT?.trim() ?? ''
  const url = (given === '' ? DEFAULT_ENDPOINT : given).replace(/\/+$/, '')
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url)) {
    throw new InvalidArgumentError(`HF_ENDPOINT must be the address of a server, not ${url}`, { option: 'HF_ENDPOINT' })
  }
  if (/^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? '')) {
    throw new DownloadError('HF_HUB_OFFLINE is set: nothing is downloaded', { url })
  }
  return { url, token: hubToken() }
}

/** Lists the files of a repository at a revision, with the Hub's API. */
async function listFiles(
  endpoint: Endpoint,
  ref: RepoRef,
  signal: AbortSignal | undefined,
): Promise<{ commit: string; files: RemoteFile[] }> {
  const address = `${endpoint.url}/api/models/${ref.repo}/revision/${encodeURIComponent(ref.revision)}?blobs=true`
  for (let tries = 1; ; tries++) {
    try {
      const { response, close } = await get(endpoint, address, ref, { signal })
      try {
        return checkedList(await response.json(), ref, endpoint)
      } finally {
        close()
      }
    } catch (thrown) {
      if (signal?.aborted) throw abortedBy(signal)
      const transient = thrown instanceof TransientError
      if (!transient && !(thrown instanceof SyntaxError)) throw thrown
      if (tries === TRIES || !transient) {
        throw new DownloadError(
          `cannot list the files of ${ref.repo} at ${endpoint.url}: ${thrown.message}`,
          { repo: ref.repo },
          { cause: thrown },
        )
      }
      await sleep(500 * 2 ** (tries - 1), undefined, { signal }).catch(() => undefined)
    }
  }
}

function checkedList(answer: unknown, ref: RepoRef, endpoint: Endpoint): { commit: string; files: RemoteFile[] } {
  const { sha, siblings } = (answer ?? {}) as { sha?: unknown; siblings?: unknown }
  const fail = (why: string): never => {
    throw new DownloadError(`the list of ${ref.repo}’s files from ${endpoint.url} is malformed: ${why}`, {
      repo: ref.repo,
    })
  }
  if (typeof sha !== 'string' || !isCommit(sha)) return fail('it names no commit')
  if (!Array.isArray(siblings)) return fail('there is none')
  const files = siblings.map((entry: unknown): RemoteFile => {
    const { rfilename: name, size, blobId, lfs } = (entry ?? {}) as Record<string, unknown>
    const sha256 = (lfs as { sha256?: unknown } | null | undefined)?.sha256
    if (typeof name !== 'string' || !isSafePath(name)) return fail(`a file is called ${JSON.stringify(name)}`)
    if (!Number.isSafeInteger(size) || (size as number) < 0) return fail(`${name} has no size`)
    if (typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)) {
      return { name, size: size as number, checksum: { kind: 'sha256', hex: sha256 } }
    }
    if (lfs || typeof blobId !== 'string' || !isCommit(blobId)) return fail(`${name} has no checksum`)
    return { name, size: size as number, checksum: { kind: 'git-sha1', hex: blobId } }
  })
  return { commit: sha, files }
}

function choose(files: readonly RemoteFile[], wanted: readonly string[] | undefined, { repo }: RepoRef): RemoteFile[] {
  const names = files.map(file => file.name)
  if (wanted === undefined) {
    const ours = files.filter(({ name }) => !NOT_FOR_US.test(name))
    const weights = ['.safetensors', '.onnx', '.gguf']
      .map(ending => (ending === '.onnx' ? files : ours).filter(({ name }) => name.endsWith(ending)))
      .find(found => found.length > 0)
    if (weights)
      return files.filter(file => weights.includes(file) || (ours.includes(file) && SMALL_FILES.test(file.name)))
    const pickled = names.some(name => /\.(bin|pt|pth|ckpt)$/.test(name))
    throw new DownloadError(
      `${repo} holds no weights in a form that is read (.safetensors, .onnx, .gguf)` +
        (pickled ? '; its PyTorch pickles are refused. Its revision refs/convert/safetensors may have others' : '') +
        `. It holds ${names.slice(0, 12).join(', ')}${names.length > 12 ? ' …' : ''}`,
      { repo, found: names },
    )
  }
  const patterns = wanted.map(pattern => ({ pattern, test: toRegExp(pattern) }))
  for (const { pattern, test } of patterns) {
    if (!names.some(name => test.test(name))) {
      throw new DownloadError(
        `${repo} has no file ${pattern}; it has ${names.slice(0, 12).join(', ')}${names.length > 12 ? ' …' : ''}`,
        { repo, file: pattern, found: names },
      )
    }
  }
  return files.filter(({ name }) => patterns.some(({ test }) => test.test(name)))
}

/** Converts a pattern: `*` matches any characters, and the name of a folder matches all files in it. */
function toRegExp(pattern: string): RegExp {
  const literal = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
  return new RegExp(`^${literal}(/.*)?$`)
}
