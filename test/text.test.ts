// The text front end: English and Mandarin to units, units to pinyin, mixed and unreadable text.

import t from 'tap'
import { englishTokens, englishToUnits } from '../dist/lib/text/english/units.js'
import { speakable, SpokenText } from '../dist/lib/text/spoken-text.js'
import { textToUnits } from '../dist/lib/text/frontend.js'
import { plainScript, type Utterance } from '../dist/lib/text/speech.js'
import { spell } from '../dist/lib/text/english/lexicon.js'
import { mandarinNumbers } from '../dist/lib/text/mandarin/numbers.js'
import { mandarinToUnits } from '../dist/lib/text/mandarin/words.js'
import { spokenTones, syllableToUnits } from '../dist/lib/text/mandarin/pinyin.js'
import { decodeText, encodeText, freeTokenizer, loadTokenizer } from '../dist/lib/text/tokenizer.js'
import { languageOf, UNITS } from '../dist/lib/text/units.js'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './helpers/model.js'

const utterances = async (text: string): Promise<Utterance[]> => (await textToUnits(plainScript(text))) as Utterance[]
const unitsOf = async (text: string): Promise<string> =>
  (await utterances(text)).map(s => s.symbols.join('')).join(' | ')

t.test('English numbers, signs and abbreviations are spelled out', async t => {
  const cases: [string, string][] = [
    ['7', 'seven'],
    ['42 and 105', 'forty two and one hundred five'],
    ['1,234,567', 'one million two hundred thirty four thousand five hundred sixty seven'],
    ['3.14', 'three point one four'],
    ['-5', 'minus five'],
    ['21st', 'twenty first'],
    ['in 1984', 'in nineteen eighty four'],
    ['in 2005', 'in two thousand five'],
    ['in 1900', 'in nineteen hundred'],
    ['7:30', 'seven thirty'],
    ['7:05 pm', 'seven oh five p m'],
    ['3 p.m.', 'three p m'],
    ["12:00", "twelve o'clock"],
    ['$5.20', 'five dollars and twenty cents'],
    ['$1', 'one dollar'],
    ['50%', 'fifty percent'],
    ['5 km', 'five kilometers'],
    ['1 kg', 'one kilogram'],
    ['20°C', 'twenty degrees celsius'],
    ['007', 'zero zero seven'],
    ['5551234', 'five five five one two three four'],
    ['7-10', 'seven to ten'],
    ['Dr. Smith', 'doctor smith'],
    ['cats & dogs', 'cats and dogs'],
    ['No. 5', 'number five'],
  ] // prettier-ignore
  for (const [written, said] of cases) {
    const words = (await englishTokens(written)).map(token => token.word)
    t.equal(words.filter(Boolean).join(' '), said, written)
  }
})

t.test('English words', async t => {
  const cases: [string, string][] = [
    ['You said seven.', 'ju sˈɛd sˈɛvən.'],
    ['The kitchen light is on.', 'ðə kˈɪʧən lˈIt ɪz ˌɔn.'],
    ['Go to a house, and look in.', 'ɡˌO tə ə hˈWs, ænd lˈʊk ˈɪn.'],
    ['The U.S.', 'ðə jˌuˈɛs.'],
    ['XTC', 'ˌɛkstˌisˈi'],
    ["I don't; we've!", 'ˌI dˈOnt, wiv!'],
    ['café', 'kæfˈA'],
  ]
  for (const [text, units] of cases) t.equal(await englishToUnits(text), units, text)
})

t.test('words that are in no dictionary are still read', async t => {
  for (const word of [
    'zanthor',
    'blorptastic',
    'nightlight',
    'unkitcheny',
    'qwrtz',
    "o'zyx",
    'xylorimbaphone',
    'aaaaaaaaaa',
  ]) {
    const units = await spell(word)
    t.ok(units.length > 1, `${word}: ${units}`)
    t.ok(
      [...units].every(u => UNITS.includes(u)),
      'of the alphabet',
    )
    t.equal(units.match(/ˈ/g)?.length, 1, 'with one main stress')
  }
  t.equal(await spell('constructor'), 'kənstɹˈʌktəɹ', "a word that is an object's property, too")
  t.ok(await spell('hasownproperty'))
})

t.test('Mandarin numbers', t => {
  const cases: [string, string][] = [
    ['25', '二十五'],
    ['10', '十'],
    ['105', '一百零五'],
    ['3.5', '三点五'],
    ['50%', '百分之五十'],
    ['7:30', '七点三十分'],
    ['8:00', '八点'],
    ['2024年', '二零二四年'],
    ['-5', '负五'],
    ['13800138000', '幺三八零零幺三八零零零'],
    ['1,234', '一千二百三十四'],
  ]
  for (const [written, said] of cases) t.equal(mandarinNumbers(written), said, written)
  t.end()
})

t.test('Mandarin words, with the tones that are spoken', t => {
  const cases: [string, string][] = [
    ['你好。', 'ni2 hao3'],
    ['一个', 'yi2 ge4'],
    ['不是', 'bu2 shi4'],
    ['不好', 'bu4 hao3'],
    ['第一', 'di4 yi1'],
    ['银行行长', 'yin2 hang2 hang2 zhang3'],
    ['女儿', 'nv3 er2'],
    ['我的灯', 'wo3 de5 deng1'],
    ['二十五度', 'er4 shi2 wu3 du4'],
  ]
  const said = (pinyin: string) => pinyin.split(' ').map(syllableToUnits).join('')
  for (const [text, pinyin] of cases) t.equal(mandarinToUnits(text).replace(/[ .]/g, ''), said(pinyin), text)
  t.equal(mandarinToUnits('你好，世界！'), 'ni↗ xau↓, ʂɨ↘ʨje↘!')
  t.equal(mandarinToUnits(''), '')
  t.end()
})

t.test('syllables and units', t => {
  const table = JSON.parse(readFileSync(join(root, 'lib', 'text', 'mandarin', 'pinyin-units.json'), 'utf8')) as Record<
    string,
    string
  >
  for (const syllable of Object.keys(table)) {
    for (const tone of [1, 2, 3, 4, 5]) {
      const units = syllableToUnits(`${syllable}${tone}`)
      t.ok(units && [...units].every(u => UNITS.includes(u)), `${syllable}${tone}`)
    }
  }
  t.equal(syllableToUnits('lü4'), syllableToUnits('lv4'))
  t.equal(syllableToUnits('nu:3'), syllableToUnits('nv3'))
  t.equal(syllableToUnits('blorp1'), undefined)
  t.equal(spokenTones('ni↓ xau↓'), 'ni↗ xau↓')
  t.equal(spokenTones('xau↓, ni↓'), 'xau↓, ni↓', 'not over a pause')
  t.end()
})

t.test('any text', async t => {
  t.equal(await unitsOf('Hello. 你好！'), 'həlˈO. | ni↗ xau↓!')
  t.equal(await unitsOf('打开 kitchen 的灯'), 'ta↓kʰai→ kˈɪʧən tɤ tə→ŋ')
  t.equal(await unitsOf('ni3 hao3'), 'ni↗xau↓')
  t.match(await unitsOf('an mp3 file'), /ˌɛmpˈi θɹˈi/, 'mp3 is no pinyin')
  t.equal((await utterances('Dr. Smith is here. He waits.')).length, 2, 'an abbreviation ends no sentence')
  t.same((await utterances('One.\nTwo! 三。')).map(s => languageOf(s.symbols)), ['en', 'en', 'zh']) // prettier-ignore
  const long = await utterances('very '.repeat(400))
  t.ok(
    long.every(s => s.symbols.length <= 300),
    'a long sentence is divided',
  )
  for (const text of ['', '  ', '!?', 'Привет', '😀'])
    await t.rejects(utterances(text), { code: 'MOSS_INVALID_ARGUMENT' }, JSON.stringify(text))
  t.equal(languageOf('ni↗xau↓'), 'zh')
  t.equal(languageOf('sˈɛvən'), 'en')
})

t.test('tokenizer', t => {
  const json = readFileSync(join(root, 'test', 'golden', 'tiny-tokenizer.json'), 'utf8')
  loadTokenizer(1, json)
  for (const text of ['You said seven.', '你说的是七。', 'emoji 😀'])
    t.equal(decodeText(1, encodeText(1, text)), text, text)
  t.same(encodeText(1, 'a<|im_end|>b'), encodeText(1, 'ab'), 'control tokens in a text are left out')
  t.equal(encodeText(1, '<|im_end|>').length, 0)
  t.equal(decodeText(1, new Int32Array(0)), '')
  freeTokenizer(1)
  t.throws(() => loadTokenizer(2, '{"model": 3}'), { code: 'MOSS_MODEL_FORMAT' })
  t.throws(() => loadTokenizer(2, 'not JSON'), { code: 'MOSS_MODEL_FORMAT' })
  t.end()
})

t.test("nano's tokenizer gives the ids that it was trained with", t => {
  loadTokenizer(3, readFileSync(join(root, 'training', 'data', 'tokenizer.json'), 'utf8'))
  // The ids are those of Python's tokenizers: merges, bytes (鲸, 龘) and characters that are in no merge (捕, 鱼, 户).
  for (const [text, ids] of [
    ['跟我说：捕鲸鱼。', [682, 395, 3059, 170, 115, 121, 2309, 264]],
    ['好的，厨房的灯打开了。', [335, 273, 599, 684, 556, 264]],
    ['Say 窗户 twice, 12 龘', [1101, 225, 168, 486, 2493, 261, 91, 529, 16, 225, 21, 22, 225, 1849, 251]],
  ] as const) {
    t.same([...encodeText(3, text)], ids, text)
    t.equal(decodeText(3, Int32Array.from(ids)), text)
  }
  freeTokenizer(3)
  t.end()
})

t.test('what a language model writes, as sentences to be spoken', async t => {
  const sentences = (text: string, size: number): string[] => {
    const spoken = new SpokenText()
    const out: string[] = []
    for (let i = 0; i < text.length; i += size) out.push(...spoken.push(text.slice(i, i + size)))
    return [...out, ...spoken.end()]
  }
  const text = `<think>
Hm. Three rivers!
</think>
## Rivers of **Europe**

Dr. Smith says: "The *Rhine* is 1.5 times longer!" Is it? 🙂 See [the map](https://example.org/a?b=c.d) or https://example.org/?q=1.

1. Rhine
2. snake_case and \`code\`
- [x] done 👩‍👩‍👧‍👦

\`\`\`js
const river = 1. + 2. // not spoken
\`\`\`
| Name | Length |
|------|-------:|
| 莱茵河 | 3 * 4 |
***
> 你好！再见。<b>Bye</b>
~~~
unclosed. code`
  const expected = [
    'Rivers of Europe',
    'Dr. Smith says: "The Rhine is 1.5 times longer!"',
    'Is it?',
    'See the map or.',
    '1, Rhine',
    '2, snake case and code',
    'done',
    'Name, Length,',
    '莱茵河, 3 × 4,',
    '你好！',
    '再见。',
    'Bye',
  ]
  for (const size of [1, 2, 7, 1000]) t.same(sentences(text, size), expected, `in pieces of ${size}`)
  const long = 'so many words, and no end of them '.repeat(30)
  const parts = sentences(long, 5)
  t.ok(parts.length > 3 && parts.every(part => part.length <= 240))
  t.equal(parts.join(' '), long.trim(), 'a sentence without an end is spoken in parts')
  t.equal(sentences('好'.repeat(500), 3).join(''), '好'.repeat(500))
  t.same(sentences('...\n---\n🙂🎉\n***\n', 2), [], 'nothing in it is words')
  t.equal(speakable('Press 1️⃣ — it costs 5 € (a < b).'), 'Press 1 — it costs 5 € (a < b).')
})
