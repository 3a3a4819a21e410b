// The output of the command: files that are replaced only by complete ones, pipes that get speech as it is generated,
// full disks.

import { execFileSync, spawn } from 'node:child_process'
import { createReadStream, existsSync, linkSync, openSync, readdirSync, symlinkSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { readAudio } from '../dist/lib/index.js'
import { runCommand as run } from './helpers/command.js'
import { mountDisk, NO_MOUNT } from './helpers/disk.js'
import { CLI, root, TINY } from './helpers/model.js'
import { makeWav, sine } from './helpers/wav.js'

const MODEL = ['--model', TINY]
const folder = t.testdir()
const question = join(folder, 'question.wav')
const FULL = existsSync('/dev/full') ? false : 'there is no /dev/full here'
const NO_FIFO = process.platform === 'win32' && 'there are no named pipes in folders'
/** Five sentences, so that the last ones are synthesized long after the first. */
const LONG = 'This is the first of five sentences. '.repeat(5)

t.before(() => writeFile(question, makeWav(sine(1))))

/** Files in the same folder whose names begin with the name of the file. */
const beside = (path: string): string[] =>
  readdirSync(dirname(path)).filter(name => name.startsWith(basename(path, '.wav')) && name !== basename(path))

function pipe(t: Test, name: string): string {
  const path = join(t.testdir(), name)
  execFileSync('mkfifo', [path])
  return path
}

async function readToEnd(path: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of createReadStream(path)) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

t.test('standard output that takes nothing is an error of one line', { skip: FULL }, async t => {
  const cases = [
    ['info', TINY],
    ['info', TINY, '--json'],
    ['transcribe', question, ...MODEL],
    ['transcribe', question, '--json', ...MODEL],
    ['chat', question, '--max-tokens', '4', ...MODEL],
    ['ask', 'seven', '--max-tokens', '4', ...MODEL],
    ['say', 'hello', '-o', '-', ...MODEL],
    ['--help'],
  ]
  for (const args of cases) {
    const { code, stderr } = await run(args, { stdout: openSync('/dev/full', 'w') })
    t.equal(code, 1, args.join(' '))
    const line = 'moss-speech: error: cannot write standard output: there is no space left on the disk (MOSS_FILE)'
    t.equal(stderr.trim().split('\n').at(-1), line)
    t.notMatch(stderr, / at .*\.js/, 'no stack')
  }
})

t.test('a disk that is full', async t => {
  const disk = mountDisk(t, 64 * 1024)
  if (disk === undefined) {
    t.pass('', { skip: NO_MOUNT })
    return
  }
  const said = ['say', LONG, ...MODEL]
  const redirected = await run([...said, '-o', '-'], { stdout: openSync(join(disk, 'redirected.wav'), 'w') })
  t.equal(redirected.code, 1, 'it takes a part of the wav, which is no success')
  t.match(redirected.stderr, /cannot write standard output: there is no space left on the disk \(MOSS_FILE\)/)
  await rename(join(disk, 'redirected.wav'), join(disk, 'filler')) // keeps the disk full
  const path = join(disk, 'speech.wav')
  for (const older of [false, true]) {
    if (older) {
      execFileSync('truncate', ['-s', '0', join(disk, 'filler')])
      await writeFile(path, 'older')
    }
    const { code, stderr } = await run([...said, '-o', path])
    t.equal(code, 1)
    t.match(stderr, `moss-speech: error: cannot write ${path}: there is no space left on the disk (MOSS_FILE)\n`)
    t.equal(existsSync(path) && (await readFile(path, 'utf8')), older && 'older', 'what was there is there')
    t.same(beside(path), [], 'and no part of a new one')
  }
})

t.test('an older file is replaced only by a whole one', async t => {
  const bad = join(t.testdir(), 'bad.wav')
  await writeFile(bad, 'no audio')
  const path = join(t.testdirName, 'answers.wav')
  await writeFile(path, 'older')
  const args = ['chat', question, bad, '-o', path, '--max-seconds', '0.5', '--seed', '1', ...MODEL]
  const { code, stderr } = await run(args)
  t.equal(code, 1)
  t.equal(await readFile(path, 'utf8'), 'older')
  const partial = join(t.testdirName, 'answers.partial.wav')
  t.match(stderr, `warning: what was said until then (0.50 s) is in ${partial}\n`)
  const audio = await readAudio(partial)
  t.equal(audio.seconds, 0.5)
  t.equal(audio.source.warning, undefined, 'a whole wav of the turn that was answered')
  t.same(beside(path), ['answers.partial.wav'])
  t.equal((await run(['chat', question, '-o', path, '--max-seconds', '0.5', '--seed', '1', ...MODEL])).code, 0)
  t.equal((await readAudio(path)).seconds, 0.5)
})

t.test('the ending of the name is the format', async t => {
  const at = (name: string): string => join(folder, name)
  const say = (...args: string[]): ReturnType<typeof run> => run(['say', 'hello', ...args, ...MODEL, '--seed', '1'])
  t.equal((await say('-o', at('a.wav'))).code, 0)
  const wav = await readFile(at('a.wav'))
  t.equal(wav.toString('latin1', 0, 4), 'RIFF')
  t.equal((await say('-o', at('A.WAV'))).code, 0)
  t.equal((await say('-o', at('a'))).code, 0)
  t.same(await readFile(at('a')), wav, 'no ending: a wav')
  for (const name of ['a.pcm', 'a.raw']) {
    t.equal((await say('-o', at(name))).code, 0)
    t.same(await readFile(at(name)), wav.subarray(44), name)
  }
  t.same((await say('-o', '-', '--format', 'pcm_s16le')).bytes, wav.subarray(44))
  for (const name of ['a.mp3', 'a.flac', 'a.ogg', 'a.wav.txt']) {
    const { code, stderr } = await say('-o', at(name))
    t.equal(code, 2, name)
    t.match(stderr, /only wav .* are written.*ffmpeg/)
    t.notOk(existsSync(at(name)))
  }
  const cases: [string[], RegExp][] = [
    [['-o', at('b.wav'), '--format', 'pcm_s16le'], /say different things/],
    [['-o', at('b.pcm'), '--format', 'wav'], /say different things/],
    [['-o', at('b.wav'), '--format', 'mp3'], /wav, pcm_s16le/],
    [['-o', ''], /-o needs the name of a file/],
  ]
  for (const [args, message] of cases) {
    const { code, stderr } = await say(...args)
    t.equal(code, 2, args.join(' '))
    t.match(stderr, message)
  }
  t.match(await run(['ask', 'x', '--format', 'wav']), { code: 2, stderr: /-o is missing/ })
  for (const command of ['quantize', 'prune', 'convert']) {
    const more = { quantize: ['--type', 'q8_0'], prune: ['--heads', '1'] }[command] ?? []
    const { code, stderr } = await run([command, TINY, '-o', at('model.bin'), ...more])
    t.equal(code, 2, command)
    t.match(stderr, /-o must be the name of a GGUF file, ending in \.gguf/)
    t.notOk(existsSync(at('model.bin')))
  }
})

t.test('no input is overwritten, whatever name leads to it', async t => {
  const home = t.testdir({ 'q.wav': makeWav(sine(1)), inside: {} })
  const at = (...names: string[]): string => join(home, ...names)
  linkSync(at('q.wav'), at('hard.wav'))
  symlinkSync(at('q.wav'), at('soft.wav'))
  symlinkSync(home, at('folder'))
  const before = await readFile(at('q.wav'))
  const chat = ['chat', at('q.wav'), '--max-tokens', '4', '--max-seconds', '0.3', ...MODEL]
  for (const out of ['q.wav', 'hard.wav', 'soft.wav', join('inside', '..', 'q.wav'), join('folder', 'q.wav')]) {
    const { code, stderr } = await run([...chat, '-o', `${home}/${out}`])
    t.equal(code, 2, out)
    t.match(stderr, /are the same file, which would be lost/)
  }
  const stdin = openSync(at('q.wav'), 'r')
  t.match(await run(['chat', '-', '-o', at('q.wav'), ...MODEL], { stdin }), { code: 2, stderr: /standard input/ })
  const stdout = openSync(at('q.wav'), 'a')
  t.match(await run([...chat, '-o', '-'], { stdout }), { code: 2, stderr: /standard output and/ })
  t.same(await readFile(at('q.wav')), before)

  const model = at('model.gguf')
  await writeFile(model, await readFile(TINY))
  linkSync(model, at('hard.gguf'))
  symlinkSync(model, at('soft.gguf'))
  for (const out of [model, at('hard.gguf'), at('soft.gguf'), at('folder', 'model.gguf')]) {
    for (const args of [['quantize', '--type', 'f32'], ['prune', '--heads', '1'], ['convert']]) {
      const [command = '', ...flags] = args
      const { code, stderr } = await run([command, model, '-o', out, ...flags])
      t.equal(code, 2, `${command} ${basename(out)}`)
      t.match(stderr, /-o is the source itself/)
    }
  }
  t.same(await readFile(model), await readFile(TINY))
  await mkdir(at('folder.gguf'))
  const folderName = await run(['quantize', model, '-o', at('folder.gguf'), '--type', 'f32'])
  t.match(folderName, { code: 1, stderr: /it is not a file \(MOSS_FILE\)/ }, 'said before the work, not after')
})

t.test('speech goes to a pipe as it comes', async t => {
  const args = ['say', LONG.repeat(4), '-o', '-', '--speed', '0.5', '--threads', '1']
  const started = performance.now()
  let first = 0
  const { bytes } = await run(args, {
    during: child => child.stdout?.once('data', () => (first = performance.now() - started)),
  })
  const all = performance.now() - started
  t.ok(first < all / 2, `the first bytes of twenty sentences came after ${first.toFixed(0)} of ${all.toFixed(0)} ms`)
  t.equal(bytes.readUInt32LE(40), 0xffffffff, 'a length that is not known yet')
  const audio = await readAudio(bytes)
  t.equal(audio.source.warning, undefined, 'which is nothing odd')
  t.equal(audio.seconds, (bytes.length - 44) / (2 * bytes.readUInt32LE(24)), '16 bits at the rate of the header')
})

t.test('a file on standard output gets its right length in the end', async t => {
  const say = (path: string, flags: string): ReturnType<typeof run> =>
    run(['say', 'hello', '-o', '-', '--seed', '1', ...MODEL], { stdout: openSync(path, flags) })
  const [fresh, appended] = [join(folder, 'fresh.wav'), join(folder, 'appended.wav')]
  t.equal((await say(fresh, 'w')).code, 0)
  const wav = await readFile(fresh)
  t.equal(wav.readUInt32LE(40), wav.length - 44)
  // A file that is opened for appending would get the corrected header at its end.
  t.equal((await say(appended, 'a')).code, 0)
  const once = await readFile(appended)
  t.equal(once.readUInt32LE(40), 0xffffffff)
  t.same(once.subarray(44), wav.subarray(44))
  t.equal((await say(appended, 'a')).code, 0)
  t.same((await readFile(appended)).subarray(0, once.length), once, 'what was there stays')
})

t.test('named pipes', { skip: NO_FIFO }, async t => {
  const path = pipe(t, 'pipe.wav')
  const say = ['say', 'hello', '--seed', '1', ...MODEL]
  const [got, said] = await Promise.all([readToEnd(path), run([...say, '-o', path])])
  t.equal(said.code, 0, said.stderr)
  const piped = await run([...say, '-o', '-'])
  t.same(got, piped.bytes)
  if (existsSync('/dev/stdout')) t.same((await run([...say, '-o', '/dev/stdout'])).bytes, piped.bytes, '/dev/stdout')

  const heard = run(['transcribe', path, ...MODEL])
  await writeFile(path, await readFile(question))
  t.same((await heard).stdout, (await run(['transcribe', question, ...MODEL])).stdout, 'one is read, too')

  const interrupted = (after: number): ReturnType<typeof run> =>
    run([...say, '-o', path], { during: child => setTimeout(() => child.kill('SIGINT'), after) })
  let stopped = await interrupted(2000)
  // Without an exit code it was killed before it listened for the signal, on a busy machine.
  for (const after of [10_000, 60_000]) if (stopped.code === null) stopped = await interrupted(after)
  t.match(stopped, { code: 130, stderr: /stopped/ }, 'Ctrl-C while there is no reader')
})

t.test('a reader that goes away is no failure', { skip: NO_FIFO }, async t => {
  const quiet = { code: 0, stderr: '' }
  const gone = (child: { stdout: NodeJS.ReadableStream | null }): void => {
    ;(child.stdout as unknown as { destroy(): void }).destroy()
  }
  t.match(await run(['info', TINY, '--json'], { during: gone }), quiet)
  t.match(await run(['--help'], { during: gone }), quiet)
  t.match(await run(['transcribe', question, ...MODEL], { during: gone }), quiet)
  const input = Buffer.from(LONG.repeat(400))
  const endless = (out: string): string[] => ['say', '-', '-o', out, ...MODEL]
  const head = run(endless('-'), { input, during: child => child.stdout?.once('data', () => gone(child)) })
  t.match(await head, quiet, 'it stops when nobody listens')

  const path = pipe(t, 'pipe.wav')
  const said = run(endless(path), { input })
  const reader = createReadStream(path)
  reader.once('data', () => reader.destroy())
  t.match(await said, quiet, 'nor at a named pipe')

  const file = (out: string): string[] => ['ask', 'seven', '-o', join(folder, out), '--seed', '5', ...MODEL]
  t.equal((await run(file('read.wav'))).code, 0)
  t.equal((await run(file('unread.wav'), { during: gone })).code, 0)
  const [read, unread] = await Promise.all(['read.wav', 'unread.wav'].map(name => readAudio(join(folder, name))))
  t.ok(read!.seconds > 0)
  t.equal(unread!.seconds, read!.seconds, 'a file is written to its end')
})

t.test('messages that cannot be printed do no harm', { skip: FULL }, async t => {
  const code = await new Promise(resolve => {
    const args = ['transcribe', '-', ...MODEL]
    const stdio = [openSync(question, 'r'), 'ignore', openSync('/dev/full', 'w')] as const
    spawn(process.execPath, [CLI, ...args], { cwd: root, stdio: [...stdio] }).on('close', resolve)
  })
  t.equal(code, 0)
})
