// Reading and writing audio: every kind of wav, damaged and unsuitable files, compressed formats, the limits.

import { createWriteStream } from 'node:fs'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { encodeWav, readAudio, WavWriter, writeWav } from '../dist/lib/index.js'
import { root } from './helpers/model.js'
import { makeWav, sine, type WavSpec } from './helpers/wav.js'

const AUDIO = join(root, 'test', 'audio')

/** The largest difference, except near the ends, where the filter of a resampler has only half of its input. */
function difference(a: Float32Array, b: Float32Array, margin = 0): number {
  let worst = 0
  for (let i = margin; i < Math.min(a.length, b.length) - margin; i++)
    worst = Math.max(worst, Math.abs((a[i] ?? 0) - (b[i] ?? 0)))
  return worst
}

t.test('sample formats', async t => {
  const tone = sine(0.25)
  const kinds: [string, WavSpec, number][] = [
    ['8-bit', { bits: 8 }, 0.01],
    ['16-bit', {}, 1e-4],
    ['24-bit', { bits: 24 }, 1e-6],
    ['32-bit', { bits: 32 }, 1e-6],
    ['32-bit float', { format: 3, bits: 32 }, 0],
    ['64-bit float', { format: 3, bits: 64 }, 0],
    ['A-law', { format: 6, bits: 8 }, 0.02],
    ['µ-law', { format: 7, bits: 8 }, 0.02],
    ['extensible 16-bit, 6 channels', { extensible: true, channels: 6 }, 1e-4],
    ['extensible float stereo', { extensible: true, format: 3, bits: 32, channels: 2 }, 1e-7],
    ['24-bit stereo', { bits: 24, channels: 2 }, 1e-6],
    ['RIFX 16-bit', { bigEndian: true }, 1e-4],
    ['RIFX 24-bit', { bigEndian: true, bits: 24 }, 1e-6],
    ['with other chunks', { extra: [['LIST', Buffer.from('INFOISFTodd')], ['fact', Buffer.alloc(4)]] }, 1e-4],
  ] // prettier-ignore
  for (const [name, spec, tolerance] of kinds) {
    const audio = await readAudio(makeWav(tone, spec))
    t.equal(audio.samples.length, tone.length, `${name}: length`)
    t.ok(difference(audio.samples, tone) <= tolerance, `${name}: samples within ${tolerance}`)
    t.equal(audio.source.channels, spec.channels ?? 1, `${name}: channels`)
    t.equal(audio.source.warning, undefined, `${name}: no warning`)
  }
})

t.test('sample rates', async t => {
  for (const sampleRate of [8000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000]) {
    const audio = await readAudio(makeWav(sine(0.5, sampleRate), { format: 3, bits: 32, sampleRate }))
    t.ok(Math.abs(audio.samples.length - 8000) <= 1, `${sampleRate} Hz: length`)
    t.ok(difference(audio.samples, sine(0.5), 400) < 1e-3, `${sampleRate} Hz: the same tone`)
    t.equal(audio.source.sampleRate, sampleRate)
  }
})

t.test('a wav that was cut off is read with a warning, one that was streamed without', async t => {
  const tone = sine(0.5)
  const whole = makeWav(tone)
  const cut = await readAudio(whole.subarray(0, 44 + 8000))
  t.equal(cut.samples.length, 4000)
  t.match(cut.source.warning, /cut off: 0\.25 s/)
  // A recorder that has crashed did not write the size at the end. A streamed file never has one.
  for (const [declaredBytes, warning] of [
    [0, /does not say/],
    [0xffffffff, undefined],
    [0x7ffff000, undefined],
  ] as const) {
    const audio = await readAudio(makeWav(tone, { declaredBytes }))
    t.equal(audio.samples.length, tone.length, `a size of ${declaredBytes}`)
    t.match(audio.source.warning, warning)
  }
})

t.test('what cannot be read is refused with a typed error', async t => {
  const wav = makeWav(sine(0.25))
  const patched = (offset: number, value: number): Buffer => {
    const copy = Buffer.from(wav)
    copy.writeUInt16LE(value, offset)
    return copy
  }
  const nan = sine(0.25)
  nan[1000] = NaN
  const infinite = sine(0.25)
  infinite[7] = Infinity
  const cases: [string, Uint8Array, string, RegExp][] = [
    ['no bytes', new Uint8Array(0), 'MOSS_AUDIO_LENGTH', /empty/],
    ['a text', Buffer.from('This is a text that somebody named a.wav.'), 'MOSS_AUDIO_FORMAT', /no audio file/],
    ['zeros', new Uint8Array(1000), 'MOSS_AUDIO_FORMAT', /no audio file/],
    ['a header without chunks', wav.subarray(0, 12), 'MOSS_AUDIO_FORMAT', /no fmt chunk/],
    ['a header without data', wav.subarray(0, 36), 'MOSS_AUDIO_FORMAT', /no data chunk/],
    ['a short fmt chunk', wav.subarray(0, 30), 'MOSS_AUDIO_FORMAT', /fmt chunk is too short/],
    ['no samples', makeWav([]), 'MOSS_AUDIO_LENGTH', /empty/],
    ['2 ms', makeWav(sine(0.002)), 'MOSS_AUDIO_LENGTH', /at least 0\.05 s/],
    ['no channels', patched(22, 0), 'MOSS_AUDIO_FORMAT', /0 channels/],
    ['a rate of 5 Hz', patched(24, 5), 'MOSS_AUDIO_FORMAT', /5 Hz/],
    ['ADPCM', patched(20, 2), 'MOSS_AUDIO_FORMAT', /ADPCM/],
    ['an unknown format', patched(20, 0x1234), 'MOSS_AUDIO_FORMAT', /0x1234/],
    ['frames of an odd size', patched(32, 7), 'MOSS_AUDIO_FORMAT', /56 bits|damaged/],
    ['NaN', makeWav(nan, { format: 3, bits: 32 }), 'MOSS_AUDIO_FORMAT', /sample 1000 is NaN/],
    ['infinity', makeWav(infinite, { format: 3, bits: 64 }), 'MOSS_AUDIO_FORMAT', /sample 7 is Infinity/],
    ['m4a', Buffer.from('\0\0\0\x20ftypM4A \0\0\0\0', 'latin1'), 'MOSS_AUDIO_FORMAT', /MPEG-4.*convert/],
    ['an empty ogg', Buffer.from('OggS\0\0\0\0', 'latin1'), 'MOSS_AUDIO_FORMAT', /Ogg/],
    [
      'mp3 noise',
      Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x64]), Buffer.alloc(3000, 0x5a)]),
      'MOSS_AUDIO_FORMAT',
      /damaged mp3/,
    ],
    ['flac noise', Buffer.concat([Buffer.from('fLaC'), Buffer.alloc(3000, 0x5a)]), 'MOSS_AUDIO_FORMAT', /damaged flac/],
  ]
  for (const [name, bytes, code, message] of cases) await t.rejects(readAudio(bytes), { code, message }, name)
  await t.rejects(readAudio(join(t.testdir(), 'none.wav')), { code: 'MOSS_FILE', message: /no such file/ })
  await t.rejects(readAudio(t.testdir()), { code: 'MOSS_FILE' }, 'a folder')
  await t.rejects(readAudio(''), { code: 'MOSS_INVALID_ARGUMENT' })
  await t.rejects(readAudio(new URL('http://localhost/a.wav')), { code: 'MOSS_INVALID_ARGUMENT', message: /file:/ })
  await t.rejects(readAudio(42 as never), { code: 'MOSS_INVALID_ARGUMENT' })
  await t.rejects(readAudio(wav, { maxSecond: 3 } as never), { code: 'MOSS_INVALID_ARGUMENT', message: /maxSecond/ })
})

t.test('a ten-hour wav is refused by its header', async t => {
  const path = join(t.testdir(), 'long.wav')
  const bytes = 10 * 3600 * 44_100 * 2
  await writeFile(path, makeWav([], { sampleRate: 44_100, declaredBytes: bytes }))
  await truncate(path, 44 + bytes) // a sparse file, which takes no disk space
  const started = performance.now()
  await t.rejects(readAudio(path), { code: 'MOSS_AUDIO_LENGTH', message: /36000 s/, details: { limit: 300 } })
  t.ok(performance.now() - started < 10_000, 'without reading it')
  await t.rejects(readAudio(makeWav(sine(2)), { maxSeconds: 1 }), { code: 'MOSS_AUDIO_LENGTH' }, 'another limit')
})

t.test('compressed formats', async t => {
  const reference = sine(1)
  for (const [file, format] of [
    ['tone.mp3', 'mp3'],
    ['tone.flac', 'flac'],
    ['tone.opus', 'opus'],
    ['tone.ogg', 'vorbis'],
  ] as const) {
    const audio = await readAudio(join(AUDIO, file))
    t.equal(audio.source.format, format)
    t.ok(Math.abs(audio.seconds - 1) < 0.1, `${format}: ${audio.seconds} s`)
    const energy = Math.sqrt(audio.samples.reduce((sum, x) => sum + x * x, 0) / audio.samples.length)
    t.ok(Math.abs(energy - 0.5 / Math.SQRT2) < 0.03, `${format}: its level`)
    if (format === 'flac') t.ok(difference(audio.samples, reference) < 1e-3, 'flac: the same samples')
    await t.rejects(
      readAudio(join(AUDIO, file), { maxSeconds: 0.5 }),
      { code: 'MOSS_AUDIO_LENGTH' },
      `${format}: the limit holds`,
    )
  }
})

t.test('damaged files end in a typed error or in sound samples', async t => {
  const files: Buffer[] = await Promise.all(
    ['tone.mp3', 'tone.flac', 'tone.opus', 'tone.ogg'].map(file => readFile(join(AUDIO, file))),
  )
  files.push(makeWav(sine(0.25)))
  let seed = 1
  const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below
  for (let i = 0; i < 100; i++) {
    const bytes = Buffer.from(files[i % files.length] ?? [])
    for (let k = 0; k < 6; k++) bytes[random(k % 2 ? bytes.length : 120)] = random(256)
    const outcome = await readAudio(i % 3 ? bytes : bytes.subarray(0, random(bytes.length))).catch(
      (error: Error) => error,
    )
    const fine =
      outcome instanceof Error
        ? ['MOSS_AUDIO_FORMAT', 'MOSS_AUDIO_LENGTH'].includes((outcome as { code?: string }).code ?? '')
        : outcome.samples.every(Number.isFinite)
    if (!fine) t.fail(`file ${i}: ${outcome instanceof Error ? outcome.message : 'NaN'}`)
  }
  t.pass('100 files')
})

t.test('paths, URLs, bytes; aborting', async t => {
  const path = join(t.testdir(), 'tone ä 1.wav')
  const bytes = makeWav(sine(0.25))
  await writeFile(path, bytes)
  t.equal((await readAudio(path)).samples.length, 4000)
  t.equal((await readAudio(pathToFileURL(path))).samples.length, 4000)
  t.equal((await readAudio(new Uint8Array(bytes).buffer)).samples.length, 4000)
  t.equal(bytes.length, 44 + 8000, 'the caller keeps its bytes')
  const controller = new AbortController()
  const reading = readAudio(path, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.rejects(reading, { name: 'AbortError', code: 'MOSS_ABORTED', cause: { message: 'enough' } })
  await t.rejects(readAudio(path, { signal: AbortSignal.abort() }), { code: 'MOSS_ABORTED' })
})

t.test('writing', async t => {
  const folder = t.testdir()
  const path = join(folder, 'out.wav')
  const samples = Float32Array.from([0, 0.5, -0.5, 1, -1, 2, -2, NaN])
  t.equal(await writeWav(path, samples, { sampleRate: 24_000 }), 8 / 24_000)
  const written = await readFile(path)
  t.same(new Uint8Array(written), encodeWav(samples, { sampleRate: 24_000 }))
  const pcm = Array.from({ length: 8 }, (_, i) => written.readInt16LE(44 + 2 * i))
  t.same(pcm, [0, 16384, -16383, 32767, -32767, 32767, -32768, 0], 'clipped, and NaN is silence')

  const tone = sine(1)
  await writeWav(path, (async function* () {
    for (let i = 0; i < tone.length; i += 3001) yield await Promise.resolve(tone.subarray(i, i + 3001))
  })()) // prettier-ignore
  t.ok(difference((await readAudio(path)).samples, tone) < 1e-4, 'chunks')

  const writer = await WavWriter.open(path)
  await writer.write(tone)
  t.equal(writer.seconds, 1)
  await writer.close()
  await writer.close()
  t.equal((await readFile(path)).readUInt32LE(40), 32_000, 'the header is right')
  await t.rejects(writeWav(join(folder, 'none', 'out.wav'), tone), { code: 'MOSS_FILE', message: /cannot write/ })
})

t.test('the event loop goes on while a long file is read', async t => {
  const path = join(t.testdir(), 'minutes.wav')
  const stream = createWriteStream(path)
  stream.write(makeWav([], { sampleRate: 48_000, channels: 2, declaredBytes: 120 * 48_000 * 4 }))
  for (let i = 0; i < 120; i++) stream.write(Buffer.alloc(48_000 * 4, i))
  await new Promise<void>(resolve => stream.end(resolve))
  let ticks = 0
  const timer = setInterval(() => ticks++, 10)
  const started = performance.now()
  const audio = await readAudio(path)
  const elapsed = performance.now() - started
  clearInterval(timer)
  t.ok(Math.abs(audio.seconds - 120) < 0.01)
  t.ok(ticks >= elapsed / 10 / 10, `${ticks} ticks of 10 ms in ${elapsed.toFixed(0)} ms: a tenth would do`)
})
