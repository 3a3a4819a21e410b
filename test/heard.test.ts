// The results of an encoder as users get them.

import t from 'tap'
import { heardSounds } from '../dist/lib/engine/heard.js'

const info = { units: ['_', 'm', 'a', '↓'] } as unknown as Parameters<typeof heardSounds>[1]
const native = (mandarin: boolean): Parameters<typeof heardSounds>[0] => ({
  noSpeech: false,
  units: Int32Array.of(1, 2, 3),
  starts: Float32Array.of(0.02, 0.1, 0.1),
  ends: Float32Array.of(0.1, 0.24004, 0.3),
  pinyin: 'ma3',
  mandarin,
})

t.test('the language is detected by the sounds, and by the transcription', async t => {
  const languageOf = (mandarin: boolean, text?: string): (string | undefined)[] => {
    const { language, pinyin } = heardSounds(native(mandarin), info, text)
    return [language, pinyin]
  }
  t.same(languageOf(true), ['zh', 'ma3'])
  t.same(languageOf(false), ['en', undefined])
  t.same(languageOf(false, 'Ma three.'), ['en', undefined])
  t.same(languageOf(false, '马。'), ['zh', 'ma3'])
  t.same(languageOf(false, 'ma3'), ['zh', 'ma3'], 'a syllable with its tone')
  t.same(languageOf(true, 'mother'), ['zh', 'ma3'])
})

t.test('units have their symbols, and times to the millisecond', async t => {
  t.same(heardSounds(native(false), info).units, [
    { unit: 'm', start: 0.02, end: 0.1 },
    { unit: 'a', start: 0.1, end: 0.24 },
    { unit: '↓', start: 0.1, end: 0.3 },
  ])
})
