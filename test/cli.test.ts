// The command, as a user runs it.

import { readdirSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readAudio } from '../dist/lib/index.js'
import { runCommand as run } from './helpers/command.js'
import { root, TINY } from './helpers/model.js'
import { makeWav, sine } from './helpers/wav.js'

const MODEL = ['--model', TINY]
const SHORT = ['--max-seconds', '1', '--seed', '1']
const folder = t.testdir()
const question = join(folder, 'question.wav')

t.before(async () => {
  await writeFile(question, makeWav(sine(1, 44_100), { sampleRate: 44_100, channels: 2 }))
})

t.test('help and version', async t => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  t.equal((await run(['--version'])).stdout.trim(), version)
  for (const args of [
    ['--help'],
    ['talk', '--help'],
    ['chat', '--help'],
    ['say', '--help'],
    ['transcribe', '--help'],
    ['ask', '--help'],
    ['info', '--help'],
  ]) {
    const { code, stdout, stderr } = await run(args)
    t.equal(code, 0, args.join(' '))
    t.match(stdout, /Examples:/)
    t.equal(stderr, '')
  }
})

t.test('chat', async t => {
  const out = join(folder, 'answers.wav')
  const { code, stdout, stderr } = await run(['chat', question, '-o', out, '--json', ...MODEL, ...SHORT])
  t.equal(code, 0, stderr)
  // With random weights, a reply goes on until it is cut.
  t.match(stderr, /^(moss-speech: warning: the reply was cut after 1 s: .*\n)?$/, 'no progress where nobody looks')
  const { path, turns, ...rest } = JSON.parse(stdout) as {
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

  const few = [...SHORT, '--max-tokens', '4'] // because the context is small
  const two = await run(['chat', question, question, '-o', out, '--json', ...MODEL, ...few])
  const replies = (JSON.parse(two.stdout) as { turns: { reply: { seconds: number } }[] }).turns.map(turn => turn.reply)
  const seconds = replies.reduce((sum, reply) => sum + reply.seconds, 0.5) // a pause between them
  t.equal(replies.length, 2)
  t.ok(Math.abs((await readAudio(out)).seconds - seconds) < 0.02, 'one after the other')

  const people = await run(['chat', question, '-o', out, ...MODEL, ...SHORT])
  t.match(people.stdout, /^heard .*\nreply [^]*wrote .*answers\.wav/)
})

t.test('standard input and output', async t => {
  const wav = await readFile(question)
  const { code, bytes, stderr } = await run(['chat', '-', '-o', '-', ...MODEL, ...SHORT], { input: wav })
  t.equal(code, 0, stderr)
  const audio = await readAudio(bytes)
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
  t.match(JSON.parse(said.stdout), {
    text: 'Hello there.',
    seconds: Number,
    sampleRate: 16_000,
    language: 'en',
    units: Array,
  })
  t.ok((await readAudio(out)).seconds > 0)

  const heard = await run(['transcribe', question, '--json', ...MODEL])
  t.equal(heard.code, 0, heard.stderr)
  const transcript = JSON.parse(heard.stdout) as object
  t.match(transcript, { text: String, language: /en|zh/, units: Array })
  t.ok(Object.keys(transcript).every(key => ['text', 'language', 'units', 'pinyin'].includes(key)))

  const asked = await run(['ask', 'seven', '--json', '--temperature', '0', '--threads', '1', ...MODEL, ...SHORT])
  t.equal(asked.code, 0, asked.stderr)
  t.match(JSON.parse(asked.stdout), { reply: { text: String, seconds: 0 }, timings: { totalMs: Number } })

  const info = await run(['info', TINY])
  t.match(info.stdout, /voices +anna \(en\), mei \(zh\)/)
  t.match((await run(['info'])).stdout, /listens at +16000 Hz, turns up to 15 s, recordings up to 10800 s\n/)
  t.match(JSON.parse((await run(['info', TINY, '--json'])).stdout), {
    name: 'tiny',
    path: TINY,
    components: Array,
  })
})

t.test('errors are one line, with their code', async t => {
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
    [['say', 'hello', '--format', 'wav'], 2, /-o is missing/],
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

t.test('SSML and pronunciations', async t => {
  const at = (name: string): string => join(folder, name)
  const out = at('ssml.wav')
  const say = (...args: string[]): ReturnType<typeof run> => run(['say', ...args, '-o', out, '--json', ...MODEL])
  const units = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await say(...args)
    t.equal(code, 0, stderr)
    return (JSON.parse(stdout) as { units: string[] }).units.join('')
  }
  const document = '<speak>\n  <sub alias="seven">7.0</sub> <b>lights</b>\n</speak>\n'
  await writeFile(at('good.ssml'), document)
  await writeFile(at('good.xml'), `\ufeff${document}`)
  await writeFile(at('utf16.ssml'), Buffer.from(`\ufeff${document}`, 'utf16le'))
  await writeFile(at('letter.txt'), 'seven lights')
  const seven = await units('seven lights')
  t.equal(await units('--ssml', document), seven, 'the argument')
  t.equal(await units('--file', at('good.ssml')), seven, 'a file, by its name')
  t.equal(await units('--file', at('good.xml'), '--ssml'), seven, 'a file of any name')
  t.equal(await units('--file', at('utf16.ssml')), seven, 'as Windows writes it')
  t.equal(await units('--file', at('letter.txt')), seven, 'a text')
  const piped = await run(['say', '-', '--ssml', '-o', '-', '--seed', '1', ...MODEL], { input: Buffer.from(document) })
  t.equal(piped.code, 0, piped.stderr)
  t.ok((await readAudio(piped.bytes)).seconds > 0, 'standard input')
  t.match(JSON.parse((await say('--ssml', document)).stdout), { text: 'seven lights' }, 'what was said, not the markup')
  t.not(await units(document), seven, 'what is not said to be SSML is a text')

  await writeFile(at('words.json'), '{ "MOSS": "ˈkæt", "重庆": "chong2 qing4" }')
  t.equal(await units('The MOSS.', '--pronunciations', at('words.json')), await units('The cat.'))

  await writeFile(at('bad.ssml'), '<speak>\n  <break time="soon"/>\n</speak>')
  await writeFile(at('lacks.ssml'), '<speak>\n<prosody contour="(0%,+5Hz)">x</prosody></speak>')
  await writeFile(at('empty.ssml'), '<speak/>')
  await writeFile(at('sound.json'), '{ "good": "kæt", "nacht": "naʘt" }')
  await writeFile(at('type.json'), '{ "good": "kæt", "bad": 1 }')
  await writeFile(at('list.json'), '["a"]')
  await writeFile(at('cut.json'), '{\n  "a": ')
  await writeFile(at('comma.json'), `{ "a": "kæt", "${'b'.repeat(60)}": "kæt", }`)
  const cases: [string[], number, RegExp][] = [
    [['--file', at('bad.ssml')], 1, /error: \S*bad\.ssml, line 2, column 22: <break time="soon">.*500ms.*\(MOSS_INVALID_ARGUMENT\)\n$/],
    [['--file', at('lacks.ssml')], 1, /error: \S*lacks\.ssml, line 2, column 29: .*contour.*\(MOSS_UNSUPPORTED\)/],
    [['--file', at('empty.ssml')], 1, /error: \S*empty\.ssml: nothing in the ssml can be read aloud/],
    [['--ssml', '<speak><b>x</speak>'], 1, /error: ssml, line 1, column \d+: .*close tag/],
    [['--file', at('none.ssml')], 1, /error: cannot read \S*none\.ssml: there is no such file.*\(MOSS_FILE\)/],
    [['a', '--pronunciations', at('none.json')], 1, /cannot read \S*none\.json: there is no such file.*\(MOSS_FILE\)/],
    [['a', '--pronunciations', at('sound.json')], 1, /error: \S*sound\.json: "nacht" as ipa "naʘt": this voice has no "ʘ"/],
    [['a', '--pronunciations', at('type.json')], 1, /error: \S*type\.json: the sounds of "bad" must be a string/],
    [['a', '--pronunciations', at('list.json')], 1, /error: \S*list\.json: must be an object of words/],
    [['a', '--pronunciations', at('cut.json')], 1, /error: \S*cut\.json, line 2, column 7: .*JSON.*\(MOSS_INVALID_ARGUMENT\)\n$/],
    [['a', '--pronunciations', at('comma.json')], 1, /error: \S*comma\.json, line 1, column 8\d: .*JSON.*\n$/],
    [['a', '--file', at('letter.txt')], 2, /exactly one of/],
    [[], 2, /exactly one of/],
  ] // prettier-ignore
  for (const [args, exit, message] of cases) {
    const { code, stderr, stdout } = await say(...args)
    t.equal(code, exit, args.join(' '))
    t.match(stderr, message)
    t.equal(stdout, '')
  }
  const answered = await run(['ask', 'x', '--pronunciations', at('words.json'), ...MODEL])
  t.match(answered, { code: 1, stderr: /read aloud.*\(MOSS_UNSUPPORTED\)/ }, 'nano answers without a text')
  await writeFile(at('raw'), 'seven')
  t.match(await run(['say', '--file', at('raw'), '-o', at('raw'), ...MODEL]), { code: 2, stderr: /are the same file/ })
})

t.test('Ctrl-C', { skip: process.platform === 'win32' && 'there are no signals' }, async t => {
  const out = join(folder, 'stopped.wav')
  const text = 'This is a sentence of many words that are read aloud one after the other. '.repeat(1000)
  const holdsSamples = (): boolean =>
    readdirSync(folder).some(name => name.startsWith('stopped.wav.') && statSync(join(folder, name)).size > 44)
  const { code, stderr } = await run(['say', '-', '-o', out, '--speed', '0.5', ...MODEL], {
    input: Buffer.from(text),
    during: child => {
      const timer = setInterval(() => {
        if (!holdsSamples()) return
        clearInterval(timer)
        child.kill('SIGINT')
      }, 20)
      child.on('close', () => clearInterval(timer))
    },
  })
  t.equal(code, 130)
  t.match(stderr, /stopped/)
  const audio = await readAudio(out, { maxSeconds: 36_000 })
  t.ok(audio.seconds > 0)
  t.equal(audio.source.warning, undefined, 'what was written is a whole wav')
})

t.test('an error names the file that it is about', async t => {
  const bad = join(folder, 'nan.wav')
  await writeFile(
    bad,
    makeWav(
      Float32Array.from(sine(0.5), (x, i) => (i === 100 ? NaN : x)),
      { format: 3, bits: 32 },
    ),
  )
  const long = join(folder, 'long.wav')
  await writeFile(long, makeWav(sine(400)))
  const cases: [string[], RegExp, Uint8Array?][] = [
    [['chat', question, bad], /error: \S*nan\.wav: sample 100 is NaN \(MOSS_AUDIO_FORMAT\)/],
    [['transcribe', bad], /error: \S*nan\.wav: sample 100 is NaN \(MOSS_AUDIO_FORMAT\)/],
    [['chat', question, long], /error: \S*long\.wav: the audio is 400 s long; the limit is [\d.]+ s: a context of \d+ positions holds no more \(MOSS_AUDIO_LENGTH\)/],
    [['transcribe', '-'], /error: standard input: sample 100 is NaN \(MOSS_AUDIO_FORMAT\)/, await readFile(bad)],
  ] // prettier-ignore
  for (const [args, message, input] of cases) {
    const flags = args[0] === 'chat' ? [...MODEL, ...SHORT] : MODEL
    const { code, stderr } = await run([...args, ...flags], input && { input })
    t.equal(code, 1, args.slice(0, 2).join(' '))
    t.match(stderr, message)
    t.notMatch(stderr, /session\.reset/, 'nobody has a session here')
  }
})

t.test('an error names the flags that were given, and no others', async t => {
  const cases: [string[], number, RegExp][] = [
    [['chat', question, '--context-length', '16'], 1, /question\.wav: a context of 16 positions has no room for speech/],
    [['chat', question, '--context-length', '40'], 1, /question\.wav: the audio is 1 s long; the limit is [\d.]+ s: a context of 40 positions holds no more/],
    [['ask', 'hello', '--top-p', '9'], 2, /error: --top-p must be a number above 0, at most 1, not 9/],
    [['ask', 'hello', '--max-tokens', '0'], 2, /error: --max-tokens must be/],
    [['ask', 'hello', '--context-length', '100000'], 2, /--context-length/],
    [['say', 'hello', '-o', join(folder, 'x.wav'), '--voice', 'nobody'], 2, /error: --voice must be one of anna, mei/],
  ] // prettier-ignore
  for (const [args, exit, message] of cases) {
    const { code, stderr } = await run([...args, ...MODEL])
    t.equal(code, exit, args.slice(2).join(' '))
    t.match(stderr, message)
    t.notMatch(stderr, /maxSeconds/)
  }
  const preset = await run(['say', 'hello', '-o', join(folder, 'x.wav'), ...MODEL], {
    env: { MOSS_SPEECH_PHONEMIZER: 'nobody' },
  })
  t.match(preset.stderr, /MOSS_SPEECH_PHONEMIZER must be one of auto/)
})

t.test('a turn that was answered is kept when a later one fails', async t => {
  const bad = join(folder, 'no-audio.wav')
  await writeFile(bad, 'no audio')
  const args = ['chat', question, bad, ...MODEL, ...SHORT]
  const people = await run(args)
  t.equal(people.code, 1)
  t.match(people.stdout, /^heard .*\nreply /)
  const json = await run([...args, '--json'])
  t.equal(json.code, 1)
  t.match(JSON.parse(json.stdout), {
    path: 'end-to-end',
    turns: [{ heard: { text: String }, reply: { text: String }, timings: { totalMs: Number } }],
    error: { code: 'MOSS_AUDIO_FORMAT', message: /no-audio\.wav: / },
  })
  t.match(json.stderr, /MOSS_AUDIO_FORMAT/)
  t.equal((await run(['chat', bad, '--json', ...MODEL])).stdout, '', 'none was answered: nothing is printed')
})

t.test('a recording that was cut off is answered with a warning', async t => {
  const cut = join(folder, 'cut.wav')
  const whole = makeWav(sine(1))
  await writeFile(cut, whole.subarray(0, whole.length - 8000))
  const warning = 'the file is cut off: 0.25 s are missing'
  for (const command of [
    ['chat', cut, ...SHORT],
    ['transcribe', cut],
  ]) {
    const { code, stdout, stderr } = await run([...command, '--json', ...MODEL])
    t.equal(code, 0)
    t.match(stderr, `moss-speech: warning: ${cut}: ${warning}\n`)
    const printed = JSON.parse(stdout) as { warning?: string; turns?: { heard: { warning?: string } }[] }
    t.equal((printed.turns?.[0]?.heard ?? printed).warning, warning)
  }
  const piped = await run(['transcribe', '-', ...MODEL], { input: await readFile(cut) })
  t.match(piped.stderr, `moss-speech: warning: standard input: ${warning}\n`)
  // Sizes of wav files that were written to pipes, whose length was unknown: 0xffffffff (ffmpeg, this package),
  // 0x7ffff000 (sox).
  for (const declaredBytes of [0xffffffff, 0x7ffff000]) {
    const { code, stderr } = await run(['transcribe', '-', ...MODEL], { input: makeWav(sine(1), { declaredBytes }) })
    t.equal(code, 0)
    t.equal(stderr, '')
  }
})

t.test('a reply that was cut says so', async t => {
  const cases: [string[], string, RegExp][] = [
    [['--max-tokens', '2'], 'maxTokens', /the reply was cut after 2 tokens: --max-tokens takes more\n/],
    [['-o', join(folder, 'cut-reply.wav'), '--max-seconds', '0.3'], 'maxSeconds', /the reply was cut after 0\.3 s: --max-seconds takes more/],
    [['--context-length', '64', '--temperature', '2', ...MODEL], 'contextLength', /the context of 64 positions was full/],
    [[], 'stop', /^$/],
  ] // prettier-ignore
  for (const [flags, reason, message] of cases) {
    const { code, stdout, stderr } = await run(['ask', 'seven', '--json', '--seed', '1', ...flags])
    t.equal(code, 0)
    t.match(JSON.parse(stdout), { reply: { finishReason: reason } })
    t.match(stderr, message)
  }
  const { stdout, stderr } = await run(['chat', question, '--json', '--max-tokens', '1', ...MODEL])
  t.match(JSON.parse(stdout), { turns: [{ reply: { finishReason: 'maxTokens' } }] })
  t.match(stderr, /warning: the reply was cut after 1 tokens/)
})
