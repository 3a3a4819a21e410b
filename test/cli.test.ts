// The command, as a user runs it.

import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readAudio } from '../dist/lib/index.js'
import { CLI, root, TINY } from './helpers/model.js'
import { makeWav, sine } from './helpers/wav.js'

interface Result {
  code: number | null
  stdout: Buffer
  stderr: string
}

interface RunOptions {
  input?: Uint8Array
  /** Sends SIGINT once this file holds samples. */
  interruptAt?: string
}

function run(args: string[], { input, interruptAt }: RunOptions = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], { cwd: root, stdio: 'pipe' })
    const stdout: Buffer[] = []
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('error', reject)
    child.on('close', code => resolve({ code, stdout: Buffer.concat(stdout), stderr }))
    child.stdin.on('error', () => undefined) // it may end before it has read everything
    child.stdin.end(input)
    if (interruptAt === undefined) return
    const timer = setInterval(() => {
      if (!existsSync(interruptAt) || statSync(interruptAt).size <= 44) return
      clearInterval(timer)
      child.kill('SIGINT')
    }, 20)
    child.on('close', () => clearInterval(timer))
  })
}

const MODEL = ['--model', TINY]
const SHORT = ['--max-seconds', '1', '--seed', '1']
const folder = t.testdir()
const question = join(folder, 'question.wav')

t.before(async () => {
  await writeFile(question, makeWav(sine(1, 44_100), { sampleRate: 44_100, channels: 2 }))
})

t.test('help and version', async t => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  t.equal((await run(['--version'])).stdout.toString().trim(), version)
  for (const args of [
    ['--help'],
    ['chat', '--help'],
    ['say', '--help'],
    ['transcribe', '--help'],
    ['ask', '--help'],
    ['info', '--help'],
  ]) {
    const { code, stdout, stderr } = await run(args)
    t.equal(code, 0, args.join(' '))
    t.match(stdout.toString(), /Examples:/)
    t.equal(stderr, '')
  }
})

t.test('chat', async t => {
  const out = join(folder, 'answers.wav')
  const { code, stdout, stderr } = await run(['chat', question, '-o', out, '--json', ...MODEL, ...SHORT])
  t.equal(code, 0, stderr)
  t.equal(stderr, '', 'no progress where nobody looks')
  const { path, turns, ...rest } = JSON.parse(stdout.toString()) as {
    path: string
    turns: { heard: object; reply: { seconds: number }; timings: object }[]
  }
  t.equal(path, 'end-to-end')
  t.same(rest, {}, 'one object with the turns')
  t.equal(turns.length, 1)
  t.match(turns[0], {
    heard: { text: String, language: /en|zh/, units: [{ unit: String, start: Number, end: Number }] },
    reply: { text: String, seconds: Number },
    timings: { totalMs: Number },
  })
  const audio = await readAudio(out)
  t.equal(audio.source.warning, undefined, 'a whole wav')
  t.ok(Math.abs(audio.seconds - (turns[0]?.reply.seconds ?? 0)) < 0.01)

  const people = await run(['chat', question, '-o', out, ...MODEL, ...SHORT])
  t.match(people.stdout.toString(), /^heard .*\nreply [^]*wrote .*answers\.wav/)
})

t.test('standard input and output', async t => {
  const wav = await readFile(question)
  const { code, stdout, stderr } = await run(['chat', '-', '-o', '-', ...MODEL, ...SHORT], { input: wav })
  t.equal(code, 0, stderr)
  const audio = await readAudio(stdout)
  t.equal(audio.source.warning, undefined, 'a whole wav on stdout')
  t.match(stderr, /heard [^]*reply /, 'the text is on stderr')
  t.equal((await run(['say', '-', '-o', join(folder, 'said.wav'), ...MODEL], { input: Buffer.from('你好') })).code, 0)
  t.equal((await run(['transcribe', '-', ...MODEL], { input: wav })).code, 0)
})

t.test('say, transcribe, ask, info', async t => {
  const out = join(folder, 'said.wav')
  const said = await run([
    'say',
    'Hello there.',
    '-o',
    out,
    '--voice',
    'mei',
    '--speed',
    '1.5',
    '--emotion',
    'sad',
    '--json',
    ...MODEL,
  ])
  t.equal(said.code, 0, said.stderr)
  t.match(JSON.parse(said.stdout.toString()), {
    text: 'Hello there.',
    seconds: Number,
    sampleRate: 16_000,
    language: 'en',
    units: Array,
  })
  t.ok((await readAudio(out)).seconds > 0)

  const heard = await run(['transcribe', question, '--json', ...MODEL])
  t.equal(heard.code, 0, heard.stderr)
  const transcript = JSON.parse(heard.stdout.toString()) as object
  t.match(transcript, { text: String, language: /en|zh/, units: Array })
  t.ok(Object.keys(transcript).every(key => ['text', 'language', 'units', 'pinyin'].includes(key)))

  const asked = await run(['ask', 'seven', '--json', '--temperature', '0', '--threads', '1', ...MODEL, ...SHORT])
  t.equal(asked.code, 0, asked.stderr)
  t.match(JSON.parse(asked.stdout.toString()), { reply: { text: String, seconds: 0 }, timings: { totalMs: Number } })

  const info = await run(['info', TINY])
  t.match(info.stdout.toString(), /voices +anna \(en\), mei \(zh\)/)
  t.match(JSON.parse((await run(['info', TINY, '--json'])).stdout.toString()), {
    name: 'tiny',
    path: TINY,
    components: Array,
  })
})

t.test('what goes wrong is said in one line, with its code', async t => {
  const text = join(folder, 'text.wav')
  await writeFile(text, 'no audio')
  const empty = join(folder, 'empty.wav')
  await writeFile(empty, makeWav([]))
  const kept = join(folder, 'kept.wav')
  await writeFile(kept, 'older')
  const cases: [string[], number, RegExp][] = [
    [['chat', join(folder, 'none.wav'), ...MODEL], 1, /no such file.*\(MOSS_FILE\)/],
    [['chat', text, '-o', kept, ...MODEL], 1, /no audio file.*\(MOSS_AUDIO_FORMAT\)/],
    [['chat', empty, ...MODEL], 1, /empty.*\(MOSS_AUDIO_LENGTH\)/],
    [['transcribe', text, ...MODEL], 1, /MOSS_AUDIO_FORMAT/],
    [['say', 'hello', '-o', join(folder, 'no', 'folder.wav'), ...MODEL], 1, /cannot write.*\(MOSS_FILE\)/],
    [['ask', 'hello', '--model', join(folder, 'none.gguf')], 1, /no model.*\(MOSS_MODEL_NOT_FOUND\)/],
    [['info', text], 1, /MOSS_MODEL_FORMAT/],
    [['ask', 'hello', '--speed', '9', ...MODEL], 2, /speed must be a number from 0\.5 to 2, not 9 \(MOSS_INVALID_ARGUMENT\)/],
    [['ask', 'hello', '--speed', 'fast', ...MODEL], 2, /not a number/],
    [['ask', 'hello', '--voice', 'nobody', ...MODEL], 2, /one of anna, mei/],
    [['ask', '', ...MODEL], 2, /text is empty/],
    [['ask'], 2, /missing required argument/],
    [['say', 'hello'], 2, /required option/],
    [['chat', '-', '-', ...MODEL], 2, /only one input/],
    [['chat', question, '-o', '-', '--json', ...MODEL], 2, /both write to standard output/],
    [['sing'], 2, /unknown command/],
    [['chat', question, '--loud'], 2, /unknown option/],
  ] // prettier-ignore
  for (const [args, exit, message] of cases) {
    const { code, stdout, stderr } = await run(args)
    t.equal(code, exit, args.slice(0, 3).join(' '))
    t.match(stderr, /^moss-speech: error: /)
    t.match(stderr, message)
    t.equal(stdout.length, 0, 'nothing on stdout')
  }
  t.equal(await readFile(kept, 'utf8'), 'older', 'a command that fails leaves an older file as it was')
})

t.test('Ctrl-C', { skip: process.platform === 'win32' && 'there are no signals' }, async t => {
  const out = join(folder, 'stopped.wav')
  const text = 'This is a sentence of many words that are read aloud one after the other. '.repeat(1000)
  const { code, stderr } = await run(['say', '-', '-o', out, '--speed', '0.5', ...MODEL], {
    input: Buffer.from(text),
    interruptAt: out,
  })
  t.equal(code, 130)
  t.match(stderr, /stopped/)
  const audio = await readAudio(out, { maxSeconds: 36_000 })
  t.ok(audio.seconds > 0)
  t.equal(audio.source.warning, undefined, 'what was written is a whole wav')
})

t.test('a reader that goes away is no failure', { skip: process.platform === 'win32' }, async t => {
  const child = spawn(process.execPath, [CLI, 'info', TINY, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const code = await new Promise(resolve => child.on('close', resolve))
  t.equal(code, 0)
  t.equal(stderr, '')
})
