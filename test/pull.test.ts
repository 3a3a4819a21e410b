// `pull` from a test server that misbehaves like real servers.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cachedSnapshot } from '../dist/lib/hub/cache.js'
import { convert, pull, type PullProgress } from '../dist/lib/index.js'
import { safetensors } from './helpers/checkpoint.js'
import { CLI, coded, root } from './helpers/model.js'

const COMMIT = 'c'.repeat(40)
const REPO = 'owner/repo'
const TOKEN = 'hf_secret'

const weights = safetensors({ w: { shape: [100_000], data: new Float32Array(100_000).fill(0.5) } })
const FILES: Record<string, Buffer> = {
  'config.json': Buffer.from('{"model_type":"foo"}'),
  'model.safetensors': weights,
  'pytorch_model.bin': Buffer.from('pickle'),
  'sub/folder/voice.onnx': Buffer.alloc(3000, 7),
  'sub/folder/voice.onnx.json': Buffer.from('{}'),
  'empty.txt': Buffer.alloc(0),
}
const LARGE = /\.(safetensors|bin|onnx)$/

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const gitSha1 = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
const checksum = (name: string, bytes: Buffer): string => (LARGE.test(name) ? sha256(bytes) : gitSha1(bytes))

type Handler = (request: IncomingMessage, response: ServerResponse) => void

interface Log {
  url: string
  range: string | undefined
  authorization: string | undefined
}

/** Starts a server for one test; returns a log of its requests. */
async function serve(t: Test, handler: Handler): Promise<{ url: string; log: Log[] }> {
  const log: Log[] = []
  const server: Server = createServer((request, response) => {
    const { range, authorization } = request.headers
    log.push({ url: request.url ?? '', range, authorization })
    handler(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, log }
}

const refuse = (response: ServerResponse, status: number, code = ''): void => {
  response.writeHead(status, code ? { 'x-error-code': code } : {}).end()
}

function list(
  response: ServerResponse,
  files = FILES,
  change: (entry: Record<string, unknown>) => void = () => undefined,
) {
  const siblings = Object.entries(files).map(([rfilename, bytes]) => {
    const entry: Record<string, unknown> = { rfilename, size: bytes.length, blobId: gitSha1(bytes) }
    if (LARGE.test(rfilename)) entry.lfs = { sha256: sha256(bytes), size: bytes.length, pointerSize: 130 }
    change(entry)
    return entry
  })
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ sha: COMMIT, siblings }))
}

/** Sends a whole file, or the requested range. */
function send(request: IncomingMessage, response: ServerResponse, bytes: Buffer, most = Infinity): void {
  const begin = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const rest = bytes.subarray(begin)
  if (begin > 0) response.setHeader('content-range', `bytes ${begin}-${bytes.length - 1}/${bytes.length}`)
  response.writeHead(begin > 0 ? 206 : 200, { 'content-length': rest.length })
  if (rest.length <= most) response.end(rest)
  else response.write(rest.subarray(0, most), () => setTimeout(() => response.destroy(), 20))
}

const nameOf = (request: IncomingMessage): string | undefined =>
  /^\/owner\/repo\/resolve\/c{40}\/([^?]+)/.exec(decodeURIComponent(request.url ?? ''))?.[1]

/** A correct server, except that `special` may answer first. */
const sound =
  (special: (name: string | undefined, ...exchange: Parameters<Handler>) => boolean = () => false): Handler =>
  (request, response) => {
    const name = nameOf(request)
    if (special(name, request, response)) return
    if (request.url?.startsWith(`/api/models/${REPO}/revision/`)) return list(response)
    const bytes = name === undefined ? undefined : FILES[name]
    if (bytes) send(request, response, bytes)
    else refuse(response, 404, 'EntryNotFound')
  }

/** Sets a new cache and an endpoint for one test. */
function environment(t: Test, url: string, more: Record<string, string> = {}): string {
  const home = t.testdir()
  const names = ['HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_ENDPOINT', 'HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_TOKEN_PATH', 'HF_HUB_OFFLINE'] // prettier-ignore
  const before = Object.fromEntries(names.map(name => [name, process.env[name]]))
  for (const name of names) Reflect.deleteProperty(process.env, name)
  Object.assign(process.env, { HF_HOME: home, HF_ENDPOINT: url, ...more })
  t.teardown(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = value
    }
  })
  return join(home, 'hub', 'models--owner--repo')
}

const wanted = { files: ['model.safetensors'] }
const blobOf = (repo: string, name = 'model.safetensors'): string =>
  join(repo, 'blobs', checksum(name, FILES[name] ?? Buffer.alloc(0)))

t.test('files, links and refs stand where the Python library looks for them', async t => {
  const { url, log } = await serve(t, sound())
  const repo = environment(t, url)
  const steps: PullProgress[] = []
  const pulled = await pull(REPO, { onProgress: step => steps.push(step) })
  t.match(pulled, { repo: REPO, revision: 'main', commit: COMMIT, folder: join(repo, 'snapshots', COMMIT) })
  t.same(
    pulled.files.map(({ name, cached }) => [name, cached]),
    [
      ['config.json', false],
      ['model.safetensors', false],
      ['sub/folder/voice.onnx.json', false],
      ['empty.txt', false],
    ],
    'weights and small files, no pickle',
  )
  t.equal(readFileSync(join(repo, 'refs', 'main'), 'utf8'), COMMIT)
  for (const { name } of pulled.files) {
    const path = join(pulled.folder, name)
    t.ok(readFileSync(path).equals(FILES[name] ?? Buffer.alloc(0)), name)
    if (process.platform !== 'win32') t.match(readlinkSync(path), /^(\.\.\/)+blobs\/[0-9a-f]+$/)
    t.ok(existsSync(blobOf(repo, name)))
  }
  t.notOk(readdirSync(join(repo, 'blobs')).some(name => name.endsWith('.incomplete')))
  const last = steps.at(-1)
  t.equal(last?.done, last?.total)
  t.equal(cachedSnapshot({ repo: REPO, revision: 'main' }), pulled.folder)
  t.equal(cachedSnapshot({ repo: REPO, revision: 'other' }), undefined)

  const requests = log.length
  const again = await pull(REPO)
  t.ok(again.files.every(file => file.cached))
  t.equal(log.length, requests + 1, 'the second time only the list is asked for')
  const folder = await pull(REPO, { files: ['sub/folder'] })
  t.same(
    folder.files.map(({ name }) => name),
    ['sub/folder/voice.onnx', 'sub/folder/voice.onnx.json'],
  )
  t.equal((await pull(REPO, { files: ['*'] })).files.length, 6)
  await t.rejects(pull(REPO, { files: ['none.*'] }), { ...coded('MOSS_DOWNLOAD'), message: /no file none\.\*; it has/ })
})

t.test('an interrupted download is resumed', async t => {
  let cuts = 0
  const { url, log } = await serve(
    t,
    sound((name, request, response) => {
      if (name !== 'model.safetensors' || cuts >= 3) return false
      cuts++
      send(request, response, weights, 100_000)
      return true
    }),
  )
  const repo = environment(t, url)
  const { folder } = await pull(REPO, wanted)
  t.ok(readFileSync(join(folder, 'model.safetensors')).equals(weights))
  const begins = log
    .filter(({ url: path }) => path.includes('resolve'))
    .map(({ range }) => (range === undefined ? 0 : Number(/^bytes=(\d+)-$/.exec(range)?.[1])))
  t.equal(begins.length, 4)
  t.equal(begins[0], 0)
  // The last bytes before a connection is closed may be lost.
  t.ok(
    begins.every((begin, i) => i === 0 || begin > (begins[i - 1] ?? 0)),
    `each goes on from the last: ${begins.join()}`,
  )
  t.ok(existsSync(blobOf(repo)))
})

t.test('a partial file of an earlier run is used, if it is right', async t => {
  const { url, log } = await serve(t, sound())
  const repo = environment(t, url)
  const part = `${blobOf(repo)}.incomplete`
  mkdirSync(join(repo, 'blobs'), { recursive: true })
  writeFileSync(part, weights.subarray(0, 123_456))
  await pull(REPO, wanted)
  t.equal(log.at(-1)?.range, 'bytes=123456-')

  const { url: second, log: secondLog } = await serve(t, sound())
  await t.test('damaged', async t => {
    const other = environment(t, second)
    mkdirSync(join(other, 'blobs'), { recursive: true })
    writeFileSync(`${blobOf(other)}.incomplete`, Buffer.alloc(5000, 1))
    const { folder } = await pull(REPO, wanted)
    t.ok(readFileSync(join(folder, 'model.safetensors')).equals(weights), 'fetched anew')
    t.same(
      secondLog.filter(({ url: path }) => path.includes('resolve')).map(({ range }) => range),
      ['bytes=5000-', undefined],
    )
  })
  await t.test('longer than the file', async t => {
    const other = environment(t, second)
    mkdirSync(join(other, 'blobs'), { recursive: true })
    writeFileSync(`${blobOf(other)}.incomplete`, Buffer.alloc(weights.length + 1))
    await pull(REPO, wanted)
    t.equal(secondLog.at(-1)?.range, undefined)
  })
})

t.test('a server without support for ranges', async t => {
  let first = true
  const { url } = await serve(
    t,
    sound((name, _request, response) => {
      if (name !== 'model.safetensors') return false
      response.writeHead(200, { 'content-length': weights.length })
      if (first) response.write(weights.subarray(0, 50_000), () => setTimeout(() => response.destroy(), 20))
      else response.end(weights)
      first = false
      return true
    }),
  )
  environment(t, url)
  const { folder } = await pull(REPO, wanted)
  t.ok(readFileSync(join(folder, 'model.safetensors')).equals(weights))
})

t.test('a wrong checksum', async t => {
  const { url, log } = await serve(
    t,
    sound((name, request, response) => {
      if (name !== 'model.safetensors' && name !== 'config.json') return false
      const bytes = Buffer.from(FILES[name] ?? '')
      bytes[bytes.length - 1] = 0
      send(request, response, bytes)
      return true
    }),
  )
  const repo = environment(t, url)
  for (const name of ['model.safetensors', 'config.json']) {
    await t.rejects(
      pull(REPO, { files: [name] }),
      { ...coded('MOSS_DOWNLOAD'), message: /another checksum.*twice/ },
      name,
    )
    t.notOk(existsSync(`${blobOf(repo, name)}.incomplete`), 'nothing is left')
    t.notOk(existsSync(blobOf(repo, name)))
  }
  t.equal(log.filter(({ url: path }) => path.includes('resolve')).length, 4, 'each was tried twice')
  t.equal(cachedSnapshot({ repo: REPO, revision: 'main' }), undefined, 'no revision is there')
})

t.test('errors say what helps', async t => {
  let answer: [number, string] = [401, '']
  const { url } = await serve(t, (request, response) => {
    if (answer[1] !== 'EntryNotFound' && answer[1] !== 'GatedRepo') return refuse(response, ...answer)
    if (nameOf(request) !== undefined) refuse(response, ...answer)
    else list(response)
  })
  environment(t, url)
  const cases: [[number, string], RegExp][] = [
    [[401, 'RepoNotFound'], /no such repository, or it is private or gated: set HF_TOKEN.*\(HTTP 401\)/],
    [[403, ''], /access is denied: set HF_TOKEN/],
    [[403, 'GatedRepo'], /owner grants access to those who ask: do so on .*owner\/repo; then set HF_TOKEN/],
    [[404, 'RepoNotFound'], /does not exist, or is private/],
    [[404, 'RevisionNotFound'], /there is no revision main/],
    [[404, 'EntryNotFound'], /no such file at main/],
    [[418, ''], /answered 418/],
  ]
  for (const [status, message] of cases) {
    answer = status
    await t.rejects(
      pull(REPO),
      { ...coded('MOSS_DOWNLOAD'), message, details: { status: status[0] } },
      status.join(' '),
    )
  }
  process.env.HF_TOKEN = TOKEN
  answer = [401, '']
  await t.rejects(pull(REPO), { message: /the token .* does not open it/ })
  process.env.HF_HUB_OFFLINE = '1'
  await t.rejects(pull(REPO), { ...coded('MOSS_DOWNLOAD'), message: /HF_HUB_OFFLINE/ })
})

t.test('transient errors are tried again', async t => {
  let failures = 0
  const { url } = await serve(
    t,
    sound((_name, _request, response) => {
      if (failures >= 2) return false
      failures++
      refuse(response, failures === 1 ? 503 : 429)
      return true
    }),
  )
  environment(t, url)
  t.equal((await pull(REPO, { files: ['config.json'] })).files.length, 1)
  t.equal(failures, 2)
})

t.test('the token goes to the endpoint and to nobody else', async t => {
  const elsewhere = await serve(t, (request, response) => {
    if (request.url === '/again') return void response.writeHead(302, { location: '/blob' }).end()
    send(request, response, weights)
  })
  const { url, log } = await serve(
    t,
    sound((name, request, response) => {
      if (name !== 'model.safetensors') return false
      const moved = request.url?.includes('?moved') ?? false
      response.writeHead(307, { location: moved ? `${elsewhere.url}/again` : `${request.url ?? ''}?moved` }).end()
      return true
    }),
  )
  environment(t, url, { HF_TOKEN: TOKEN })
  const { folder } = await pull(REPO, wanted)
  t.ok(readFileSync(join(folder, 'model.safetensors')).equals(weights))
  t.equal(log.length, 3, 'the list, the file, and a redirect on the same server')
  t.ok(log.every(({ authorization }) => authorization === `Bearer ${TOKEN}`))
  t.equal(elsewhere.log.length, 2)
  t.ok(elsewhere.log.every(({ authorization }) => authorization === undefined))
})

t.test('the token of the login is found', async t => {
  const { url, log } = await serve(t, sound())
  environment(t, url)
  writeFileSync(join(process.env.HF_HOME ?? '', 'token'), 'hf_file\n')
  await pull(REPO, { files: ['config.json'] })
  t.equal(log[0]?.authorization, 'Bearer hf_file')
})

t.test('malformed lists of files', async t => {
  let change: (entry: Record<string, unknown>) => void = () => undefined
  let raw: string | undefined
  const { url } = await serve(t, (_request, response) => {
    if (raw === undefined) list(response, { 'model.safetensors': weights }, change)
    else response.end(raw)
  })
  const repo = environment(t, url)
  const names = ['../../evil', '/etc/passwd', 'a/../../b', 'C:\\evil', 'a\\..\\b', 'a//b', '', './a', 7, 'a\0b']
  for (const name of names) {
    change = entry => (entry.rfilename = name)
    await t.rejects(
      pull(REPO, { files: ['*'] }),
      { ...coded('MOSS_DOWNLOAD'), message: /a file is called/ },
      String(name),
    )
  }
  const cases: [string, (entry: Record<string, unknown>) => void, RegExp][] = [
    ['no checksum', entry => (entry.lfs = { sha256: '../../x' }), /no checksum/],
    ['no git checksum', entry => Object.assign(entry, { lfs: undefined, blobId: '../x' }), /no checksum/],
    ['a negative size', entry => (entry.size = -1), /no size/],
  ]
  for (const [name, lie, message] of cases) {
    change = lie
    await t.rejects(pull(REPO, { files: ['*'] }), { ...coded('MOSS_DOWNLOAD'), message }, name)
  }
  for (const answer of ['{', 'null', '{"sha":"../../x","siblings":[]}', `{"sha":"${COMMIT}"}`]) {
    raw = answer
    await t.rejects(pull(REPO), coded('MOSS_DOWNLOAD'), answer)
  }
  t.notOk(existsSync(repo), 'nothing was made')
})

t.test('more bytes than were announced, and another range than was asked for', async t => {
  let range = false
  const { url } = await serve(
    t,
    sound((name, _request, response) => {
      if (name !== 'config.json') return false
      if (range) response.writeHead(206, { 'content-range': 'bytes 9-19/20' }).end('x'.repeat(11))
      else response.end(Buffer.alloc(1000))
      return true
    }),
  )
  const repo = environment(t, url)
  await t.rejects(pull(REPO, { files: ['config.json'] }), {
    ...coded('MOSS_DOWNLOAD'),
    message: /more than the 20 bytes/,
  })
  range = true
  writeFileSync(`${blobOf(repo, 'config.json')}.incomplete`, '{"mod')
  await t.rejects(pull(REPO, { files: ['config.json'] }), { ...coded('MOSS_DOWNLOAD'), message: /another range/ })
})

t.test('wrong arguments', async t => {
  for (const repo of ['', 'a/b/c', '../x', 'a/..', 'a b/c', 'a--b/c']) {
    await t.rejects(pull(repo), coded('MOSS_INVALID_ARGUMENT'), repo)
  }
  for (const revision of ['', '../x', '/x', 'a\\b']) {
    await t.rejects(pull(REPO, { revision }), coded('MOSS_INVALID_ARGUMENT'), revision)
  }
  await t.rejects(pull(REPO, { branch: 'x' } as object), coded('MOSS_INVALID_ARGUMENT'))
  environment(t, 'not an address')
  await t.rejects(pull(REPO), { ...coded('MOSS_INVALID_ARGUMENT'), message: /HF_ENDPOINT/ })
})

t.test('stopping keeps the bytes so far', async t => {
  const { url, log } = await serve(
    t,
    sound((name, request, response) => {
      if (name !== 'model.safetensors' || request.headers.range) return false
      response.writeHead(200, { 'content-length': weights.length })
      response.write(weights.subarray(0, 200_000)) // then the server stalls
      return true
    }),
  )
  const repo = environment(t, url)
  const controller = new AbortController()
  const onProgress = ({ done }: PullProgress): void => {
    if (done >= 200_000) controller.abort()
  }
  await t.rejects(pull(REPO, { ...wanted, signal: controller.signal, onProgress }), coded('MOSS_ABORTED'))
  t.equal(statSync(`${blobOf(repo)}.incomplete`).size, 200_000)
  await pull(REPO, wanted)
  t.equal(log.at(-1)?.range, 'bytes=200000-')
  await t.rejects(pull(REPO, { signal: AbortSignal.abort() }), coded('MOSS_ABORTED'))
})

t.test('two at a time', async t => {
  let held: (() => void) | undefined
  const { url } = await serve(
    t,
    sound((name, request, response) => {
      if (name !== 'model.safetensors' || held) return false
      held = () => send(request, response, weights)
      return true
    }),
  )
  environment(t, url)
  const first = pull(REPO, wanted)
  while (!held) await new Promise(resolve => setTimeout(resolve, 10))
  await t.rejects(pull(REPO, wanted), { ...coded('MOSS_DOWNLOAD'), message: /by another process/ })
  held()
  t.equal((await first).files[0]?.cached, false)
})

function command(
  args: string[],
  url: string,
  home: string,
  interruptAt?: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], {
      cwd: root,
      env: { ...process.env, HF_HOME: home, HF_ENDPOINT: url, HF_TOKEN: TOKEN },
    })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('error', reject)
    child.on('close', code => resolve({ code, stdout, stderr }))
    if (interruptAt === undefined) return
    const timer = setInterval(() => {
      if (!existsSync(interruptAt) || statSync(interruptAt).size === 0) return
      clearInterval(timer)
      child.kill('SIGINT')
    }, 20)
    child.on('close', () => clearInterval(timer))
  })
}

t.test('the command', async t => {
  let stall = true
  const { url } = await serve(
    t,
    sound((name, request, response) => {
      if (name !== 'model.safetensors' || !stall || request.headers.range) return false
      response.writeHead(200, { 'content-length': weights.length })
      response.write(weights.subarray(0, 100_000))
      return true
    }),
  )
  const home = t.testdir()
  const part = join(home, 'hub', 'models--owner--repo', 'blobs', `${sha256(weights)}.incomplete`)
  if (process.platform !== 'win32') {
    const stopped = await command(['pull', REPO], url, home, part)
    t.equal(stopped.code, 130, 'Ctrl-C')
    t.match(stopped.stderr, /pulling owner\/repo: 4 files[^]*stopped/)
    t.ok(statSync(part).size > 0, 'what came is kept')
  }
  stall = false
  const { code, stdout, stderr } = await command(['pull', REPO, '--json'], url, home)
  t.equal(code, 0, stderr)
  t.match(JSON.parse(stdout), { repo: REPO, commit: COMMIT, files: [{ name: 'config.json', bytes: 20, cached: true }] })
  const people = await command(['pull', REPO, 'model.safetensors'], url, home)
  t.match(people.stdout, /0\.4 MB {2}model\.safetensors {2}\(was here\)\n.*snapshots/)
  const missing = await command(['pull', REPO, 'none'], url, home)
  t.equal(missing.code, 1)
  t.match(missing.stderr, /error: owner\/repo has no file none.*\(MOSS_DOWNLOAD\)/)
  t.equal((await command(['pull', 'x'.repeat(200)], url, home)).code, 2)
})

t.test('convert pulls what is not in the cache, and says so', async t => {
  const { url, log } = await serve(t, sound())
  environment(t, url)
  const stages: string[] = []
  const run = (source: string): Promise<unknown> =>
    convert(source, join(t.testdirName, 'x.gguf'), { onProgress: ({ stage }) => stages.push(stage) })
  // No family is called "foo", which is detected only after the download.
  await t.rejects(run(`hf:${REPO}`), { ...coded('MOSS_UNSUPPORTED'), message: /model_type foo/ })
  t.ok(stages.includes('pull'))
  const requests = log.length
  stages.length = 0
  await t.rejects(run(`hf:${REPO}@main`), coded('MOSS_UNSUPPORTED'))
  t.equal(log.length, requests, 'the second time it is here')
  t.same(stages, [])
  await t.rejects(run(`hf:${REPO}/sub/folder/voice.onnx`), { ...coded('MOSS_MODEL_FORMAT'), message: /ONNX/ })
  t.match(log.at(-1)?.url, /voice\.onnx$/, 'its config was here')
  await t.rejects(run(`hf:${REPO}/../x`), coded('MOSS_INVALID_ARGUMENT'))
})
