// SSML and users' pronunciations: which sounds are spoken, and their length, volume and pitch; errors and their
// positions.

import t from 'tap'
import { loadModel, type SpeakOptions, type Spoken } from '../dist/lib/index.js'
import { textToUnits } from '../dist/lib/text/frontend.js'
import { isTone, plainScript, type Utterance } from '../dist/lib/text/speech.js'
import { TINY } from './helpers/model.js'

const script = (text: string, isSsml = true, pronunciations: Record<string, string> = {}) => ({
  ...plainScript(text),
  isSsml,
  pronunciations: JSON.stringify(pronunciations),
  voices: [
    { name: 'ada', language: 'en' },
    { name: 'mei', language: 'zh' },
  ],
})
/** The spoken units, with pauses in brackets. */
async function spoken(text: string, ...more: [boolean?, Record<string, string>?]): Promise<string> {
  const parts = await textToUnits(script(text, ...more))
  return parts.map(part => (isTone(part) ? `[${part.seconds}]` : part.symbols.join(''))).join(' | ')
}
const speak = (inner: string): Promise<string> => spoken(`<speak>${inner}</speak>`)
const plain = (text: string): Promise<string> => spoken(text, false)

t.test('elements say what a plain text would', async t => {
  const cases: [string, string][] = [
    ['<sub alias="seven">7.0</sub> lights', 'seven lights'],
    ['a <say-as interpret-as="cardinal">12</say-as> b', 'a twelve b'],
    ['the <say-as interpret-as="ordinal">3</say-as> light', 'the third light'],
    ['<say-as interpret-as="digits">105</say-as>', 'one zero five'],
    ['<say-as interpret-as="telephone">555-0199</say-as>', 'five five five, zero one nine nine'],
    ['<say-as interpret-as="date" format="dmy">5/6/2020</say-as>', 'June fifth, twenty twenty'],
    ['<say-as interpret-as="time">7:05am</say-as>', '7:05am'],
    ['<say-as interpret-as="fraction">3/4</say-as>', 'three quarters'],
    ['<say-as interpret-as="unit">5km</say-as>', 'five kilometers'],
    ['<say-as interpret-as="currency">$5</say-as>', 'five dollars'],
    ['<say-as interpret-as="no such thing">five</say-as>', 'five'],
    ['<unknown>the <b>light</b></unknown> is on', 'the light is on'],
    ['a <metadata>hidden</metadata> b', 'a b'],
    ['one &amp; two', 'one and two'],
    ['the\n   light\n', 'the light'],
    ['你好 <say-as interpret-as="digits">12</say-as>', '你好 一二'],
    ['<lang xml:lang="zh-CN">我有25个</lang>', '我有二十五个'],
    ['第<say-as interpret-as="cardinal">105</say-as>个', '第一百零五个'],
  ]
  for (const [inner, text] of cases) t.equal(await speak(inner), await plain(text), inner)
  t.equal(await speak('<say-as interpret-as="characters">SQL</say-as>'), 'ˈɛs kjˈu ˈɛl')
})

t.test('given pronunciations', async t => {
  t.equal(await speak('say <phoneme alphabet="ipa" ph="təˈmeɪtoʊ">x</phoneme>.'), 'sˈA təmˈAtO.')
  t.equal(await speak('<phoneme ph="stɹiːt">x</phoneme>'), 'stɹit')
  t.equal(await speak('<phoneme alphabet="pinyin" ph="chong2 qing4">重庆</phoneme>'), await plain('chong2 qing4'))
  t.equal(await spoken('The MOSS, moss and Mossy.', false, { MOSS: 'ˈkæt' }), await plain('The cat, moss and Mossy.'))
  t.equal(await spoken('Moss’s moss', false, { moss: 'kˈæt' }), 'kˈæts kˈæt', 'small letters stand for capitals, too')
  t.equal(await spoken('我去重庆。', false, { 重庆: 'chong2 qing4' }), 'wo↓ ʨʰy↘ ꭧʰʊ↗ŋʨʰi↘ŋ.')
  t.equal(await spoken('<speak>MOSS</speak>', true, { MOSS: 'kˈæt' }), 'kˈæt')
  t.equal(
    await spoken('\ue000 \uf001 moss \uf8ff', false),
    await plain('moss'),
    'signs of our own in a text are nothing',
  )
})

t.test('breaks, paragraphs and voices', async t => {
  t.equal(await speak('one <break time="1.5s"/> two'), 'wˈʌn | [1.5] | tˈu')
  t.equal(await speak('one <break strength="strong"/> two'), 'wˈʌn | [0.75] | tˈu')
  t.equal(await speak('one <break strength="none"/> two'), await plain('one two'))
  t.equal(await speak('<p>one</p> <p>two</p>'), 'wˈʌn | [0.5] | tˈu')
  t.equal(await speak('<s>one</s><s>two</s>'), 'wˈʌn | tˈu')
  const parts = await textToUnits(
    script('<speak>one <voice name="mei">two</voice> <voice language="en">three</voice></speak>'),
  )
  t.same(parts.map(part => (part as Utterance).voice), [undefined, 1, 0]) // prettier-ignore
})

t.test('prosody applies to the units of its element', async t => {
  const [one] = (await textToUnits(
    script('<speak>a <prosody rate="50%" pitch="+2st" volume="-6dB">big</prosody> dog</speak>'),
  )) as Utterance[]
  t.equal(one?.symbols.join(''), 'ə bˈɪɡ dˈɔɡ', 'a sentence stays whole')
  const changed = one?.symbols.filter((_, i) => one.prosody?.[i]?.speed === 0.5).join('')
  t.equal(changed?.trim(), 'bˈɪɡ')
  const at = one?.symbols.indexOf('b') ?? 0
  t.match(one?.prosody?.[at], { pitch: 2 })
  t.ok(Math.abs((one?.prosody?.[at]?.gain ?? 0) - 0.501) < 0.001)
  const [after] = (await textToUnits(script('<speak><prosody rate="slow">One. Two.</prosody> Three.</speak>'))).slice(2)
  t.equal((after as Utterance).prosody, undefined, 'it ends with its element, over sentences')
})

t.test('errors say line and column', async t => {
  const invalid = async (ssml: string, line: number, message: RegExp): Promise<void> => {
    await t.rejects(
      textToUnits(script(ssml)),
      { code: 'MOSS_INVALID_ARGUMENT', details: { option: 'ssml', line }, message },
      ssml,
    )
  }
  await invalid('hello', 1, /outside of root/)
  await invalid('<speak>\n<b>x</speak>', 2, /close tag/)
  await invalid('<voice>x</voice>', 1, /must be a <speak>/)
  await invalid('<speak>\n\n<break time="soon"/></speak>', 3, /500ms/)
  await invalid('<speak><break time="61s"/></speak>', 1, /60s/)
  await invalid('<speak><prosody rate="900%">x</prosody></speak>', 1, /rate/)
  await invalid('<speak><prosody pitch="+40st">x</prosody></speak>', 1, /pitch/)
  await invalid('<speak><emphasis level="huge">x</emphasis></speak>', 1, /strong, moderate/)
  await invalid('<speak><say-as>x</say-as></speak>', 1, /interpret-as/)
  await invalid('<speak><voice name="eve">x</voice></speak>', 1, /ada, mei/)
  await invalid('<speak><phoneme ph="aʘ">x</phoneme></speak>', 1, /U\+0298/)
  await invalid('<speak><phoneme alphabet="x-sampa" ph="a">x</phoneme></speak>', 1, /ipa and pinyin/)
  await invalid('<!DOCTYPE speak [<!ENTITY a "x">]><speak>&a;</speak>', 1, /entity/)
  await invalid(`<speak>${'<b>'.repeat(200)}`, 1, /deep/)
  await t.rejects(textToUnits(script('<speak/>')), { code: 'MOSS_INVALID_ARGUMENT', message: /nothing/ })
  const unsupported = { code: 'MOSS_UNSUPPORTED', message: /contour/ }
  await t.rejects(textToUnits(script('<speak><prosody contour="(0%,+5Hz)">x</prosody></speak>')), unsupported)
})

t.test('a session speaks SSML and knows words', async t => {
  const model = await loadModel(TINY)
  t.teardown(() => model.dispose())
  const session = model.createSession({ seed: 1, pronunciations: { MOSS: 'kˈæt' } })
  const say = (text: string | { ssml: string }, options?: SpeakOptions): Promise<Spoken> =>
    session.speak(text, { seed: 1, voice: model.info().voices[0]?.name ?? '', ...options }).result()
  const lead = async (time: string): Promise<number> =>
    (await say({ ssml: `<speak>one<break time="${time}"/>two</speak>` })).audio.length
  t.equal((await lead('1500ms')) - (await lead('500ms')), model.info().sampleRate, 'a second of silence more')
  const silent = await say({ ssml: '<speak><prosody volume="silent">one</prosody></speak>' })
  t.ok(silent.audio.length > 0 && silent.audio.every(value => value === 0))
  t.equal((await say({ ssml: '<speak>One <b>light</b>.</speak>' })).text, 'One light.')
  const bleep = await say({ ssml: '<speak><say-as interpret-as="expletive">damn</say-as></speak>' })
  t.ok(bleep.units.length === 0 && bleep.audio.some(value => Math.abs(value) > 0.1))
  t.ok(
    bleep.audio.slice(-10).every(value => Math.abs(value) < 0.02),
    'a tone fades away',
  )
  const [ada = '', other = ''] = model.info().voices.map(voice => voice.name)
  const { audio } = await say({ ssml: `<speak><voice name="${other}">one</voice></speak>` }, { voice: ada })
  t.same(audio, (await say('one', { voice: other })).audio, 'a voice that SSML names')
  t.not(audio.join(), (await say('one', { voice: ada })).audio.join())

  t.same((await say('MOSS')).units, (await say('cat')).units, 'the words of the session')
  t.same(
    (await say('MOSS', { pronunciations: { MOSS: 'dˈɔɡ' } })).units,
    (await say('dog')).units,
    'those of a call come first',
  )
  const bad = { code: 'MOSS_INVALID_ARGUMENT', details: { option: 'pronunciations', word: 'x', symbol: 'ʘ' } }
  t.throws(() => session.speak('x', { pronunciations: { x: 'ʘ' } }), bad)
  t.throws(() => model.createSession({ pronunciations: { x: 'ʘ' } }), bad)
  for (const wrong of [1, [], { '': 'a' }, { x: '' }, { x: 1 }, { 'x ': 'a' }])
    t.throws(() => model.createSession({ pronunciations: wrong as never }), { code: 'MOSS_INVALID_ARGUMENT' })
  t.throws(() => session.generate({ text: 'x' }, { pronunciations: { x: 'a' } }), { code: 'MOSS_UNSUPPORTED' })
  t.throws(() => session.speak({ ssml: '' }), { code: 'MOSS_INVALID_ARGUMENT' })
  t.throws(() => session.speak({ sml: 'x' } as never), { code: 'MOSS_INVALID_ARGUMENT' })
})
