// Imported voices: the results of converters compared to those of a script with the same weights, and the tiny voices
// as users see them.

import { execFile, spawnSync } from 'node:child_process'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { openGguf } from '../dist/lib/convert/gguf.js'
import { convertSource } from '../dist/lib/convert/index.js'
import { loadModel, type Spoken } from '../dist/lib/index.js'
import { pinyinToEspeak, splitPinyin, unitsToAmerican, unitsToBritish } from '../dist/lib/text/ipa.js'
import { parseVoiceText, type VoiceText } from '../dist/lib/text/voice-text.js'
import { plainScript } from '../dist/lib/text/speech.js'
import { textToVoice, type VoiceUtterance } from '../dist/lib/text/voice.js'
import { CLI, coded, root } from './helpers/model.js'

const golden = (name: string): string => join(root, 'test', 'golden', name)
const SOURCES = {
  'voice-stochastic': 'voice-stochastic',
  'voice-plain': 'voice-plain',
  'voice-piper': join('voice-piper', 'tiny.onnx'),
}
const nothing = (): void => undefined

async function convert(t: Test, source: string, type: 'f32' | 'f16' | 'q8_0' = 'f32'): Promise<string> {
  const out = join(t.testdir({}), 'voice.gguf')
  await convertSource(source, out, type, nothing)
  return out
}

t.test('converters make what the reference script makes', async t => {
  for (const [name, source] of Object.entries(SOURCES)) {
    await t.test(name, async t => {
      const found = openGguf(await convert(t, golden(source)))
      const expected = openGguf(golden(`${name}.gguf`))
      t.same([...found.tensors.keys()].sort(), [...expected.tensors.keys()].sort())
      for (const [tensor, reference] of expected.tensors) {
        const converted = found.tensors.get(tensor)
        t.same(converted?.shape, reference.shape, tensor)
        const [a, b] = [await converted?.read(), await reference.read()]
        const error = Math.max(...b.map((value, i) => Math.abs(value - (a?.[i] ?? NaN))))
        t.ok(error <= 1e-6, `${tensor}: off by ${error}`) // weight norm and e^-x are rounded once
      }
      for (const [key, { value }] of expected.metadata) {
        if (!key.startsWith('moss-speech.voice.')) continue
        t.same(plain(key, found.metadata.get(key)?.value), plain(key, value), key)
      }
      found.close()
      expected.close()
    })
  }
})

const plain = (key: string, value: unknown): unknown => {
  if (key.endsWith('.text')) return JSON.parse(String(value))
  return Array.isArray(value) ? value.map(plain.bind(undefined, '')) : typeof value === 'bigint' ? Number(value) : value
}

t.test('checkpoints that are damaged', async t => {
  const folder = t.testdir({ hf: {}, piper: {} })
  const [hf, piper] = [join(folder, 'hf'), join(folder, 'piper')]
  const out = join(folder, 'out.gguf')
  const fresh = async (): Promise<void> => {
    await cp(golden('voice-stochastic'), hf, { recursive: true })
    await cp(golden('voice-piper'), piper, { recursive: true })
  }
  const changed = async (path: string, change: (config: Record<string, unknown>) => void): Promise<unknown> => {
    await fresh()
    const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
    change(config)
    await writeFile(path, JSON.stringify(config))
    return convertSource(path.includes('hf') ? hf : join(piper, 'tiny.onnx'), out, 'f32', nothing)
  }
  const config = join(hf, 'config.json')
  const format = coded('MOSS_MODEL_FORMAT')
  await t.rejects(
    changed(config, c => (c.hidden_size = 17)),
    format,
  )
  await t.rejects(
    changed(config, c => (c.hidden_size = 'many')),
    { ...format, message: /hidden_size/ },
  )
  await t.rejects(
    changed(config, c => (c.num_hidden_layers = 3)),
    { ...format, message: /layers\.2/ },
  )
  await t.rejects(
    changed(config, c => (c.upsample_rates = 4)),
    { ...format, message: /upsample_rates/ },
  )
  await t.rejects(
    changed(config, c => (c.hidden_act = 'swish')),
    { ...coded('MOSS_UNSUPPORTED'), message: /swish/ },
  )
  await t.rejects(
    changed(config, c => (c.depth_separable_channels = 4)),
    coded('MOSS_UNSUPPORTED'),
  )
  await t.rejects(
    changed(join(hf, 'vocab.json'), c => (c.a = 'x')),
    { ...format, message: /vocab\.json/ },
  )
  const voice = join(piper, 'tiny.onnx.json')
  await t.rejects(
    changed(voice, c => (c.phoneme_id_map = {})),
    { ...format, message: /phoneme_id_map/ },
  )
  await t.rejects(
    changed(voice, c => delete c.audio),
    { ...format, message: /sample_rate/ },
  )
  await fresh()
  const onnx = await readFile(join(piper, 'tiny.onnx'))
  await writeFile(join(piper, 'tiny.onnx'), onnx.subarray(0, onnx.length - 1000))
  await t.rejects(convertSource(join(piper, 'tiny.onnx'), out, 'f32', nothing), format)
})

t.test('a voice file is a model that speaks', async t => {
  const path = await convert(t, golden('voice-stochastic'))
  const model = await loadModel(path)
  t.teardown(() => model.dispose())
  const info = model.info()
  t.match(info, { sampleRate: 16000, voices: [{ name: 'voice-stochastic', language: 'eng' }], emotions: [] })
  t.same(
    info.components.map(c => c.name),
    ['voice'],
  )
  t.notOk('voiceText' in info)
  const session = model.createSession()
  const speak = (text: string, options?: object): Promise<Spoken> => session.speak(text, options).result()
  const one = await speak('Hello world', { seed: 3 })
  t.ok(one.audio.length > 200 && one.audio.every(Number.isFinite))
  t.equal(one.language, 'eng')
  t.equal(one.units.join(''), 'hello world')
  t.same((await speak('Hello world', { seed: 3 })).audio, one.audio)
  t.notSame((await speak('Hello world', { seed: 4 })).audio, one.audio)
  const calm = await speak('Hello world', { noiseScale: 0, noiseW: 0, seed: 1 })
  t.same((await speak('Hello world', { noiseScale: 0, noiseW: 0, seed: 2 })).audio, calm.audio)
  t.ok((await speak('Hello world', { lengthScale: 3, seed: 3 })).audio.length > one.audio.length)
  t.ok((await speak('Hello world', { speed: 0.5, seed: 3 })).audio.length > one.audio.length)
  const texts: string[] = []
  for await (const chunk of session.speak('hello. world.')) if (chunk.text) texts.push(chunk.text)
  t.same(texts, ['hello.', 'world.'])
  await t.rejects(speak('123 ?!'), { ...coded('MOSS_INVALID_ARGUMENT'), message: /voice can speak/ })
  t.throws(() => session.speak('hello', { pitch: 2 }), coded('MOSS_UNSUPPORTED'))
  t.throws(() => session.speak('hello', { voice: { 'voice-stochastic': 1 } as never }), coded('MOSS_UNSUPPORTED'))
  t.throws(() => session.speak('hello', { pause: 2 }), coded('MOSS_UNSUPPORTED'))
  const loud = await speak('Hello world', { energy: -6, noiseScale: 0, noiseW: 0, seed: 1 })
  t.ok(Math.max(...loud.audio) < 0.52 * Math.max(...calm.audio), 'half as loud')
  t.throws(() => session.speak('hello', { noiseW: 3 }), coded('MOSS_INVALID_ARGUMENT'))
  t.throws(() => session.speak('hello', { emotion: 'happy' }), coded('MOSS_INVALID_ARGUMENT'))
  t.throws(() => session.speak('hello', { phonemizer: 'magic' as 'auto' }), coded('MOSS_INVALID_ARGUMENT'))
  await t.rejects(session.generate({ text: 'hello' }).result(), coded('MOSS_UNSUPPORTED'))
  const controller = new AbortController()
  const aborted = session.speak('hello '.repeat(60), { signal: controller.signal }).result()
  controller.abort()
  await t.rejects(aborted, coded('MOSS_ABORTED'))
  t.ok((await speak('hello')).audio.length > 0, 'the session lives on')
})

t.test('speakers by name, in every type of weights', async t => {
  for (const type of ['f32', 'f16', 'q8_0'] as const) {
    const model = await loadModel(await convert(t, golden(SOURCES['voice-piper']), type))
    const session = model.createSession()
    t.same(
      model.info().voices.map(voice => voice.name),
      ['ada', 'bob'],
    )
    const [ada, bob] = [
      await session.speak('Oh, no.', { voice: 'ada', seed: 1 }).result(),
      await session.speak('Oh, no.', { voice: 'bob', seed: 1 }).result(),
    ]
    t.notSame(ada.audio, bob.audio)
    t.same((await session.speak('Oh, no.', { seed: 1 }).result()).audio, ada.audio, 'the first is the default')
    t.throws(() => session.speak('Oh', { voice: 'eve' }), { ...coded('MOSS_INVALID_ARGUMENT'), message: /ada, bob/ })
    await model.dispose()
  }
})

t.test('other models have no options of voices', async t => {
  const model = await loadModel(golden('tiny.gguf'))
  t.teardown(() => model.dispose())
  t.throws(() => model.createSession().speak('hello', { noiseW: 0.5 }), coded('MOSS_UNSUPPORTED'))
  const calm = await model.createSession().speak('hello', { noiseScale: 0, seed: 1 }).result()
  t.ok(calm.audio.length > 0)
})

t.test('the command', async t => {
  const voice = golden('voice-stochastic.gguf')
  const out = join(t.testdir({}), 'out.wav')
  const run = promisify(execFile)
  await run(process.execPath, [
    CLI,
    'say',
    '--voice',
    voice,
    'hello world',
    '-o',
    out,
    '--seed',
    '1',
    '--noise-w',
    '0.3',
  ])
  t.equal((await readFile(out)).readUInt32LE(24), 16000, 'the rate in the header')
  const refused = await run(process.execPath, [CLI, 'say', '--speaker', 'x', 'hello', '-o', out]).catch(
    (e: unknown) => e,
  )
  t.match(refused, { code: 2, stderr: /--speaker/ })
  const none = await run(process.execPath, [CLI, 'say', '--voice', 'none.gguf', 'hello', '-o', out]).catch(
    (e: unknown) => e,
  )
  t.match(none, { code: 1, stderr: /MOSS_MODEL_NOT_FOUND/ })
})

// --- text

const symbolMap = (symbols: Iterable<string>): Record<string, number[]> =>
  Object.fromEntries([...symbols].map((s, i) => [s, [i + 3]]))
const ENGLISH: VoiceText = {
  input: 'espeak',
  espeakVoice: 'en-us',
  symbols: { _: [0], '^': [1], $: [2], ...symbolMap(" !,.?abdefhijklmnoprstuvwzæðŋɐɑɔəɚɛɜɡɪɹɾʃʊʌʒʔˈˌːθᵻ'\u0329") },
  before: [1, 0],
  between: [0],
  after: [2],
}
const utterances = async (
  text: string,
  voice: object,
  phonemizer: 'auto' | 'builtin' | 'espeak-ng' = 'auto',
): Promise<VoiceUtterance[]> =>
  (await textToVoice(plainScript(text), JSON.stringify(voice), phonemizer)) as VoiceUtterance[]
const symbolsOf = async (
  text: string,
  voice: VoiceText,
  phonemizer: 'auto' | 'builtin' | 'espeak-ng' = 'auto',
): Promise<string> => (await utterances(text, voice, phonemizer)).map(s => s.symbols.join('')).join('|')

t.test('English, in the symbols of espeak-ng', async t => {
  t.equal(await symbolsOf('Hello there, my friend. Is it true?', ENGLISH), 'həlˈoʊ ðɛɹ, maɪ fɹˈɛnd.|ɪz ɪt tɹˈuː?')
  t.equal(await symbolsOf('The city has a church.', ENGLISH), 'ðə sˈɪɾi hæz ɐ tʃˈɜːtʃ.')
  t.equal(
    unitsToAmerican('hˈæpi bˈɜɹd, wˈɔntɪd ðə ˈæpəl ʤˈɔɪ'.replace('ɔɪ', 'Y')),
    'hˈæpi bˈɜːd, wˈɔːntᵻd ðɪ ˈæpəl dʒˈɔɪ',
  )
  t.equal(unitsToBritish('gˈO fˈɑðəɹ fˈɑɹ'), 'gˈəʊ fˈɑːðə fˈɑː')
  const [sentence] = await utterances('Hi.', ENGLISH)
  const id = (symbol: string): number => ENGLISH.symbols[symbol]?.[0] ?? -1
  t.same([...(sentence?.ids ?? [])], [1, 0, ...['h', 'ˈ', 'a', 'ɪ', '.'].flatMap(s => [id(s), 0]), 2])
  const clusters = { ...ENGLISH, clusters: ['aɪ'], symbols: { ...ENGLISH.symbols, aɪ: [99] } }
  t.same((await utterances('Hi.', clusters))[0]?.symbols, ['h', 'ˈ', 'aɪ', '.'])
  const long = await utterances(`${'so many words, '.repeat(60)}end.`, ENGLISH)
  t.ok(long.length > 1 && long.every(s => s.symbols.length <= 400))
  await t.rejects(symbolsOf('…!?', ENGLISH), coded('MOSS_INVALID_ARGUMENT'))
})

t.test('Mandarin by pinyin', async t => {
  t.same(splitPinyin('zhong1'), { initial: 'zh', final: 'ong', tone: 1 })
  t.same(splitPinyin('jue2'), { initial: 'j', final: 've', tone: 2 })
  t.same(splitPinyin('er4'), { initial: '', final: 'er', tone: 4 })
  t.same(splitPinyin('yuan2'), { initial: 'y', final: 'uan', tone: 2 })
  t.equal(splitPinyin('hello'), undefined)
  // The output of espeak-ng for these syllables.
  for (const [syllable, ipa] of [
    ['hao3', 'χˈɑu2'],
    ['shi4', 's.ˈi.5'],
    ['jie4', 'tɕˈiɛ5'],
    ['wang2', 'wˈɑɜŋ'],
    ['you3', 'jˈiou2'],
    ['guo2', 'kˈuoɜ'],
    ['nv3', 'nˈy2'],
    ['le5', 'lə1'],
  ] as const) {
    t.equal(pinyinToEspeak(syllable), ipa)
  }
  const huayan: VoiceText = { ...ENGLISH, espeakVoice: 'cmn', symbols: symbolMap(' ,.!25ɜ1nhiχɑus.ˈtɕɛ') }
  t.equal(await symbolsOf('你好，世界！', huayan), 'nˈi2 χˈɑu2, s.ˈi.5tɕˈiɛ5!')
  const chaowen: VoiceText = {
    input: 'pinyin',
    symbols: symbolMap(['Ø', 'n', 'h', 'i', 'ao', 'er', '1', '2', '3', '4', '5', ',', '.', '。']),
    before: [1],
    between: [0],
    after: [2],
  }
  const [sentence] = await utterances('ni3 hao3, er4.', chaowen)
  t.same(sentence?.symbols, ['n', 'i', '3', 'h', 'ao', '3', ',', 'Ø', 'er', '4', '.'])
  const pads = [...(sentence?.ids ?? [])].filter(id => id === 0).length
  t.equal(pads, 5, 'after each syllable and pause')
})

t.test('letters', async t => {
  const mms: VoiceText = {
    input: 'characters',
    symbols: symbolMap("abcdehlorw ț'"),
    before: [0],
    between: [0],
    after: [],
    lowerCase: true,
  }
  t.equal(await symbolsOf('Hello, WORLD!', mms), 'hello world')
  const [sentence] = await utterances('ab', mms)
  t.same([...(sentence?.ids ?? [])], [0, 3, 0, 4, 0])
  const romanized = { ...mms, uroman: true }
  t.equal(await symbolsOf('Hello', romanized), 'hello')
  await t.rejects(symbolsOf('привет', romanized), { ...coded('MOSS_UNSUPPORTED'), message: /uroman/ })
  await t.rejects(symbolsOf('привет', mms), coded('MOSS_INVALID_ARGUMENT'))
  const text: VoiceText = { input: 'text', symbols: symbolMap('abe\u0301'), before: [], between: [], after: [] }
  t.equal(await symbolsOf('bé', text), 'be\u0301')
})

t.test('what needs espeak-ng', async t => {
  const german: VoiceText = { ...ENGLISH, espeakVoice: 'de' }
  const before = process.env.MOSS_SPEECH_ESPEAK
  process.env.MOSS_SPEECH_ESPEAK = join(t.testdir({}), 'none')
  t.teardown(() => {
    if (before === undefined) delete process.env.MOSS_SPEECH_ESPEAK
    else process.env.MOSS_SPEECH_ESPEAK = before
  })
  const cure = { ...coded('MOSS_UNSUPPORTED'), message: /\(de\) needs espeak-ng.*install espeak-ng/ }
  await t.rejects(symbolsOf('Guten Tag', german), cure)
  await t.rejects(symbolsOf('Guten Tag', german, 'builtin'), cure)
  await t.rejects(symbolsOf('Hello', ENGLISH, 'espeak-ng'), coded('MOSS_UNSUPPORTED'))
  t.equal(await symbolsOf('Hello', ENGLISH), 'həlˈoʊ')
  await t.rejects(symbolsOf('Hello', { ...ENGLISH, input: 'hebrew' }), {
    ...coded('MOSS_UNSUPPORTED'),
    message: /hebrew/,
  })
})

const hasEspeak = spawnSync('espeak-ng', ['--version']).status === 0
t.test('phonemes by espeak-ng', { skip: !hasEspeak && 'espeak-ng is not installed' }, async t => {
  t.match(
    await symbolsOf('Guten Tag, wie geht es?', { ...ENGLISH, espeakVoice: 'de' }),
    /^ɡˈuːtən tˈɑːk, viː ɡˈeːt ɛs\?$/u,
  )
  t.equal(await symbolsOf('Hello there, friend.', ENGLISH, 'espeak-ng'), 'həlˈoʊ ðˈɛɹ, fɹˈɛnd.')
  await t.rejects(symbolsOf('Hello', { ...ENGLISH, espeakVoice: 'zz' }), coded('MOSS_UNSUPPORTED'))
})

t.test('malformed text rules', t => {
  for (const json of [
    '',
    '[]',
    'null',
    '{}',
    '{"input":"espeak"}',
    '{"input":"espeak","symbols":{"a":[-1]},"before":[],"between":[],"after":[]}',
  ]) {
    t.throws(() => parseVoiceText(json), { ...coded('MOSS_MODEL_FORMAT'), message: /moss-speech\.voice\.text/ }, json)
  }
  t.end()
})
