// Conversations with files, and with fakes, in place of microphone and speaker.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { RecordedInput, RecordedOutput } from '../dist/lib/audio/recorded.js'
import { withKeys } from '../dist/bin/keys.js'
import { levelBar } from '../dist/bin/level.js'
import { loadModel, readAudio, writeWav, type LiveEvent, type LiveOptions, type Model } from '../dist/lib/index.js'
import { Duplex } from '../dist/lib/live/duplex.js'
import { runCommand as run } from './helpers/command.js'
import { root, TINY } from './helpers/model.js'

const RATE = 16_000
const folder = t.testdir()
const silence = (seconds: number): Float32Array => new Float32Array(seconds * RATE)
const question = async (name: string): Promise<Float32Array> =>
  (await readAudio(join(root, 'test', 'audio', 'questions', name))).samples
/** With this, the command finds a fake in place of the package decibri. */
const FAKE = {
  NODE_OPTIONS: `--import=${pathToFileURL(join(root, 'test', 'helpers', 'decibri', 'register.mjs')).href}`,
}
const installed = existsSync(join(root, 'node_modules', 'decibri'))

let model: Model
let light: Float32Array
let television: Float32Array
t.before(async () => {
  model = await loadModel()
  light = await question('en-home-00.opus')
  television = await question('zh-home-15.opus')
})
t.teardown(() => model.dispose())

/** Replies begin 0.6 s after the speech, so that it is known what is said during them. */
const VAD = ['--turn-detection', 'vad']

/** Runs `talk --fast`, and returns the events and what would have been played, at 24 kHz. */
async function talked(name: string, parts: Float32Array[], ...flags: string[]): Promise<Talked> {
  const [input, output] = [join(folder, `${name}.in.wav`), join(folder, `${name}.out.wav`)]
  await writeWav(input, parts)
  const args = ['talk', '--input', input, '-o', output, '--fast', '--seed', '1', ...flags]
  const { code, stdout, stderr } = await run([...args, '--json'])
  t.equal(code, 0, stderr)
  const lines = stdout.trim().split('\n')
  const bytes = await readFile(output)
  const pcm = new Int16Array(bytes.buffer, bytes.byteOffset + 44, (bytes.length - 44) / 2)
  return { args, output, pcm, events: lines.map(line => JSON.parse(line) as LiveEvent) }
}

interface Talked {
  args: string[]
  output: string
  pcm: Int16Array
  events: LiveEvent[]
}

function find<T extends LiveEvent['type']>(events: LiveEvent[], type: T, n = 0): Extract<LiveEvent, { type: T }> {
  const found = events.filter(event => event.type === type)[n]
  if (!found) throw new Error(`there is no ${type} number ${n}`)
  return found as Extract<LiveEvent, { type: T }>
}

/** The first and the last second of the file in which something is heard, between two times. */
function heardIn(pcm: Int16Array, from: number, to: number): [number, number] | undefined {
  const part = pcm.subarray(Math.round(from * 24_000), Math.round(to * 24_000))
  const first = part.findIndex(sample => Math.abs(sample) > 100)
  const last = part.findLastIndex(sample => Math.abs(sample) > 100)
  return first < 0 ? undefined : [from + first / 24_000, from + last / 24_000]
}

t.test('options say when a turn ends', async t => {
  const decided = async (name: string, ...flags: string[]): Promise<[string, number]> => {
    const { events } = await talked(name, [silence(0.5), light, silence(2.5)], ...flags)
    const end = find(events, 'turnEnd')
    return [end.reason, end.decided - end.time]
  }
  const [reason, soon] = await decided('complete')
  t.equal(reason, 'complete')
  const [, later] = await decided('complete-later', '--complete-after', '400')
  t.ok(later > soon + 0.15, `${soon}, ${later} s`)
  const [waited, unsure] = await decided('unsure', '--completeness', '1', '--silence', '1500')
  t.equal(waited, 'silence')
  t.ok(unsure > soon, `${soon}, ${unsure} s`)
})

t.test('two turns, the same on every run, and the output is aligned with the input', async t => {
  const parts = [silence(0.5), light, silence(4), television, silence(1)]
  const { args, output, pcm, events } = await talked('two', parts)
  t.same(
    events.map(({ type }) => type).filter(type => type !== 'audio' && type !== 'text'),
    ['speechStart', 'turnEnd', 'heard', 'replyEnd', 'speechStart', 'turnEnd', 'heard', 'replyEnd'],
  )
  const [first, second] = [find(events, 'turnEnd', 0), find(events, 'turnEnd', 1)]
  const { seconds } = find(events, 'replyEnd', 0).reply
  t.equal(heardIn(pcm, 0, first.decided), undefined, 'silence until the first turn has ended')
  const heard = heardIn(pcm, first.decided, second.decided)
  t.ok(heard && heard[0] - first.decided < 0.5, 'then the reply begins at once')
  t.ok(heard && heard[1] <= first.decided + seconds + 0.04, 'and lasts as long as it is')
  t.ok(heardIn(pcm, second.decided, Infinity), 'the second reply')
  const ends = Math.max(
    second.decided + find(events, 'replyEnd', 1).reply.seconds,
    parts.flatMap(p => [...p]).length / RATE,
  )
  t.ok(Math.abs(pcm.length / 24_000 - ends) < 0.04, 'the file ends with the input or the last reply')

  const again = await run([...args, '--threads', '1'])
  t.equal(again.code, 0, again.stderr)
  t.equal(again.stderr, '', 'no status where nobody looks')
  const lines = again.stdout.split('\n')
  t.match(lines[0], /^heard {4}\/.+\/$/)
  t.match(lines[1], /^reply {2}\S/)
  t.match(
    lines[2],
    /^ {7}answered \d\.\d\d s after you: 0\.\d\d s to be sure that you had finished, \d\.\d\d s to answer$/,
  )
  t.match(lines[3], /^heard {2}\S* {0,2}.+\d/, 'pinyin')
  t.equal(lines.length, 7)
  const pcm2 = await readFile(output)
  t.equal(pcm2.length, pcm.byteLength + 44)
})

t.test('speech stops a reply, and what is remembered is what was played', async t => {
  const parts = [silence(0.5), light, silence(1.4), television, silence(1)]
  const { pcm, events } = await talked('barge', parts, ...VAD)
  const [stopped, started] = [find(events, 'interrupted'), find(events, 'speechStart', 1)]
  t.ok(stopped.time - started.time <= 0.2, `after ${((stopped.time - started.time) * 1000).toFixed(0)} ms of speech`)
  const kept = find(events, 'shortened').text
  const whole = events.flatMap(event => (event.type === 'text' && event.turn === 1 ? [event.text] : [])).join('')
  t.ok(kept.length > 0 && kept.length < whole.length && whole.startsWith(kept), `${kept} of ${whole}`)
  t.ok(Math.abs(stopped.played - (stopped.time - find(events, 'turnEnd').decided)) < 0.05)
  t.equal(
    heardIn(pcm, stopped.time + 0.04, find(events, 'turnEnd', 1).decided),
    undefined,
    'then the speaker is silent',
  )
  const patient = await talked('patient', parts, ...VAD, '--no-barge-in')
  t.notOk(patient.events.some(event => event.type === 'interrupted'))
})

t.test('a sound that is no word does not stop a reply', async t => {
  for (const name of ['relief', 'amusement']) {
    const burst = (await readAudio(join(root, 'test', 'audio', 'bursts', `${name}.opus`))).samples
    const parts = [silence(0.5), light, silence(0.9), burst, silence(1)]
    const stops = async (...flags: string[]): Promise<boolean> =>
      (await talked(name, parts, ...VAD, ...flags)).events.some(({ type }) => type === 'interrupted')
    t.notOk(await stops(), name)
    t.ok(await stops('--interrupt-sounds', '0'), `${name}, by its voice alone`)
  }
})

t.test('the keys: a commit, a stop, another voice, an end', async t => {
  await using session = model.createSession({ seed: 1 })
  const parts = [silence(0.5), light, silence(4), television, silence(2)]
  const samples = parts.flatMap(part => [...part])
  const play = async (at: (duplex: Duplex, seconds: number) => void, options: LiveOptions): Promise<LiveEvent[]> => {
    session.reset()
    let blocks = 0
    const duplex = new Duplex(() => session.listen({ seed: 5, ...options }), {
      input: new RecordedInput(Float32Array.from(samples), RATE, false),
      output: new RecordedOutput(model.info().sampleRate, () => Promise.resolve()),
      waits: true,
      echoCancellation: false,
      onInput: () => at(duplex, ++blocks / 50),
    })
    const events: LiveEvent[] = []
    for await (const event of duplex) events.push(event)
    return events
  }
  const spoken = 0.5 + light.length / RATE
  const once = (after: number, act: (duplex: Duplex) => void) => {
    let done = false
    return (duplex: Duplex, seconds: number): void => {
      if (done || seconds < after) return
      done = true
      act(duplex)
    }
  }
  const committed = await play(
    once(spoken + 0.1, duplex => duplex.commit()),
    { turnDetection: 'manual' },
  )
  t.match(find(committed, 'turnEnd'), { reason: 'commit' })
  t.match(find(committed, 'turnEnd', 1), { reason: 'end' }, 'the next turn ends with the input')
  const cancelled = await play(
    once(spoken + 1.2, duplex => duplex.cancel()),
    {},
  )
  const played = spoken + 1.2 - find(cancelled, 'turnEnd').decided
  t.ok(Math.abs(find(cancelled, 'interrupted').played - played) < 0.05)
  t.equal(cancelled.filter(({ type }) => type === 'replyEnd').length, 2, 'the conversation goes on')
  const restarted = await play(
    once(spoken + 1.2, duplex => duplex.restart()),
    {},
  )
  t.same(
    restarted.flatMap(event => (event.type === 'turnEnd' ? [event.turn] : [])),
    [1, 1],
    'another live session',
  )
  const quit = await play(
    once(spoken + 1.2, duplex => duplex.stop()),
    {},
  )
  t.equal(quit.filter(({ type }) => type === 'turnEnd').length, 1)
})

t.test('keys of a terminal', async t => {
  const raw: boolean[] = []
  const terminal = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (on: boolean) => raw.push(on),
  }) as unknown as typeof process.stdin
  const pressed: string[] = []
  const key = (name: string) => () => void pressed.push(name)
  const result = await withKeys(terminal, { space: key('space'), v: key('v'), escape: key('escape') }, async () => {
    for (const bytes of [' ', 'v', 'x', '\x1b']) {
      terminal.push(bytes)
      await new Promise(resolve => setImmediate(resolve))
    }
    while (pressed.length < 3) await new Promise(resolve => setTimeout(resolve, 10)) // Esc may begin a sequence
    return 7
  })
  t.equal(result, 7)
  t.same(pressed, ['space', 'v', 'escape'])
  t.same(raw, [true, false])
  t.equal(levelBar(new Float32Array(320)), '▯▯▯▯▯▯▯▯▯▯▯▯')
  t.equal(levelBar(new Float32Array(320).fill(1)), '▮▮▮▮▮▮▮▮▮▮▮▮')
})

t.test('microphone and speaker', async t => {
  const [microphone, speaker] = [join(folder, 'microphone'), join(folder, 'speaker')]
  const env = { ...FAKE, FAKE_MICROPHONE: microphone, FAKE_SPEAKER: speaker }
  const recorded = Float32Array.from([silence(0.5), light, silence(1)].flatMap(part => [...part]))
  await writeFile(microphone, Buffer.from(recorded.buffer))
  const { code, stdout, stderr } = await run(['talk', '--seed', '1'], { env })
  t.equal(code, 0, stderr)
  t.match(stdout, /^heard.*\nreply {2}\S.*\n {7}answered/)
  const played = await readFile(speaker)
  t.ok(played.length > 24_000 * 4, 'a reply of more than a second')

  const said = await run(['say', 'hello', '--json', '--seed', '1'], { env })
  t.equal(said.code, 0, said.stderr)
  const { seconds } = JSON.parse(said.stdout) as { seconds: number }
  const { length } = await readFile(speaker)
  t.ok(Math.abs((length - played.length) / 4 / 24_000 - seconds) < 0.001, 'all that was said has been played')

  const script = `import { playAudio, recordAudio, saveAudio } from 'moss-speech-native'
    const recording = await recordAudio({ seconds: 1 })
    await saveAudio(process.env.SAVED, recording)
    await playAudio(recording)
    console.log(recording.sampleRate, recording.seconds)
    for (const wrong of [() => recordAudio({}), () => playAudio('x'), () => saveAudio('x.wav', { samples: [1] }),
      () => playAudio(recording, { signal: AbortSignal.abort() })]) await wrong().catch(error => console.log(error.code))`
  const saved = join(folder, 'saved.wav')
  const api = await runScript(script, { ...env, SAVED: saved })
  t.equal(api, ['16000 1', ...Array<string>(3).fill('MOSS_INVALID_ARGUMENT'), 'MOSS_ABORTED', ''].join('\n'))
  t.same((await readAudio(saved)).samples.length, RATE)
  t.equal((await readFile(speaker)).length, length + 4 * RATE)

  const silenced = `import { openSpeaker } from ${JSON.stringify(pathToFileURL(join(root, 'dist', 'lib', 'audio', 'decibri.js')).href)}
    const speaker = await openSpeaker(16000)
    speaker.write(new Float32Array(160000))
    await new Promise(resolve => setTimeout(resolve, 100))
    const before = speaker.played
    speaker.clear()
    console.log(before > 0, speaker.played < 9, speaker.written === speaker.played)
    speaker.write(new Float32Array(1600))
    await speaker.finished()
    console.log(speaker.written < 9)
    speaker.close()`
  t.equal(await runScript(silenced, env), 'true true true\ntrue\n')
  t.ok((await readFile(speaker)).length < length + 4 * RATE + 4 * 9 * RATE, 'what was dropped was not played')
})

/** Runs a module that imports this package, and returns what it prints. */
async function runScript(script: string, env: Record<string, string>): Promise<string> {
  const args = ['--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env: { ...process.env, ...env } })
  return stdout
}

t.test('what goes wrong', async t => {
  const none = { ...FAKE, FAKE_MICROPHONE: '', FAKE_SPEAKER: '' }
  const unplugged = join(folder, 'unplugged')
  await writeFile(unplugged, Buffer.from(silence(0.5).buffer))
  const input = join(folder, 'silence.wav')
  await writeWav(input, silence(1))
  const out = join(folder, 'x.wav')
  const tiny = ['--model', TINY]
  for (const [args, code, message, env] of [
    [['talk', ...tiny], 1, /the speaker cannot be used: No speaker found; .*\(MOSS_AUDIO_DEVICE\)/, none],
    [
      ['talk', '-o', out, ...tiny],
      1,
      /the microphone cannot be used: No microphone found; .*\(MOSS_AUDIO_DEVICE\)/,
      none,
    ],
    [['talk', '-o', out], 1, /unplugged.*\(MOSS_AUDIO_DEVICE\)/, { ...none, FAKE_MICROPHONE: unplugged }],
    [['say', 'hello', ...tiny], 1, /the speaker cannot be used.*\(MOSS_AUDIO_DEVICE\)/, none],
    [['talk', '--fast', '--input', input], 2, /--fast is for files/, {}],
    [['talk', '--input', input, '-o', input], 2, /are the same file/, {}],
    [['talk', '--input', input, '-o', out, '--silence', '1', ...tiny], 2, /--silence must be/, {}],
    [['talk', '--input', input, '-o', out, '--turn-detection', 'x'], 2, /Allowed choices/, {}],
    [['talk', '--input', join(folder, 'none.wav'), '-o', out, ...tiny], 1, /\(MOSS_FILE\)/, {}],
  ] as const) {
    const { code: found, stderr } = await run([...args], { env })
    t.equal(found, code, `${args.join(' ')}: ${stderr}`)
    t.match(stderr, message)
    t.equal(stderr.trim().split('\n').length <= 2, true)
  }
  const quiet = await run(['talk', '--input', input, '-o', out, '--fast'])
  t.match(quiet, { code: 0, stdout: '', stderr: '' }, 'nobody speaks')
  t.same((await readAudio(out)).seconds, 1)
})

t.test('without the package decibri', { skip: installed && 'it is installed' }, async t => {
  for (const args of [
    ['talk', '-o', join(folder, 'y.wav')],
    ['say', 'hello'],
  ]) {
    const { code, stderr } = await run([...args, '--model', TINY])
    t.equal(code, 1)
    t.match(stderr, /the package decibri, .* is not installed; npm install decibri .*\(MOSS_AUDIO_DEVICE\)/)
  }
})
