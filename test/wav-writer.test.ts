// Writing of wav files: they are complete, or there is no file.

import { execFileSync } from 'node:child_process'
import { createReadStream, existsSync, readdirSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { encodeWav, WavWriter, writeWav } from '../dist/lib/index.js'
import { mountDisk, mountFile, NO_MOUNT } from './helpers/disk.js'
import { sine } from './helpers/wav.js'

const TONE = sine(0.5)
const WAV = encodeWav(TONE)
const POSIX = process.platform === 'win32' && 'Windows has no such files'

t.test('an older file is kept until the new one is complete', async t => {
  const folder = t.testdir({ 'out.wav': 'older' })
  const path = join(folder, 'out.wav')
  const writer = await WavWriter.open(path)
  await writer.write(TONE)
  t.equal(await readFile(path, 'utf8'), 'older')
  const [part = ''] = readdirSync(folder).filter(name => name !== 'out.wav')
  t.match(part, /^out\.wav\..+\.part$/)
  t.equal((await readFile(join(folder, part))).readUInt32LE(40), 0xffffffff, 'what a crash would leave can be read')
  await writer.close()
  await writer.close()
  t.same(await readFile(path), WAV)
  t.same(readdirSync(folder), ['out.wav'])

  const other = await WavWriter.open(path)
  await other.write(TONE.subarray(1))
  await other.discard()
  await other.close()
  t.same(await readFile(path), WAV, 'one that is given up leaves nothing')
  t.same(readdirSync(folder), ['out.wav'])
})

t.test('chunks that fail leave nothing', async t => {
  const folder = t.testdir({ 'out.wav': 'older' })
  const failing = async function* (): AsyncGenerator<Float32Array> {
    yield await Promise.resolve(TONE)
    throw new Error('no more')
  }
  for (const name of ['out.wav', 'new.wav'])
    await t.rejects(writeWav(join(folder, name), failing()), { message: 'no more' })
  t.same(readdirSync(folder), ['out.wav'])
  t.equal(await readFile(join(folder, 'out.wav'), 'utf8'), 'older')
})

t.test('links and modes stay', { skip: POSIX }, async t => {
  const folder = t.testdir({ 'target.wav': 'older' })
  const at = (name: string): string => join(folder, name)
  await chmod(at('target.wav'), 0o600)
  symlinkSync('target.wav', at('link.wav'))
  symlinkSync('nothing.wav', at('dangling.wav'))
  await writeWav(at('link.wav'), TONE)
  await writeWav(at('dangling.wav'), TONE)
  t.equal(readlinkSync(at('link.wav')), 'target.wav')
  t.same(await readFile(at('target.wav')), WAV)
  t.equal(statSync(at('target.wav')).mode & 0o777, 0o600)
  t.equal(readlinkSync(at('dangling.wav')), 'nothing.wav')
  t.same(await readFile(at('nothing.wav')), WAV)
})

t.test('a full disk', async t => {
  const disk = mountDisk(t, 32 * 1024)
  if (disk === undefined) {
    t.pass('', { skip: NO_MOUNT })
    return
  }
  const path = join(disk, 'out.wav')
  const full = { code: 'MOSS_FILE', details: { path, code: 'ENOSPC' }, message: /no space left/ }
  await t.rejects(writeWav(path, sine(5)), full)
  t.same(readdirSync(disk), [])
  await writeFile(path, 'older')
  const writer = await WavWriter.open(path)
  await t.rejects(writer.write(sine(5)), full)
  await writer[Symbol.asyncDispose]()
  t.same(readdirSync(disk), ['out.wav'], 'who disposes of it makes no half file of it')
  t.equal(await readFile(path, 'utf8'), 'older')
})

t.test('a file that is mounted by itself, as into a container', async t => {
  const disk = mountDisk(t, 1 << 20)
  const outside = join(t.testdir({ 'outside.wav': 'x'.repeat(100_000) }), 'outside.wav')
  const at = join(disk ?? '', 'out.wav')
  if (disk !== undefined) writeFileSync(at, '')
  if (disk === undefined || !mountFile(t, outside, at)) {
    t.pass('', { skip: NO_MOUNT })
    return
  }
  await writeWav(at, TONE)
  t.same(await readFile(outside), WAV, 'its contents are replaced')
  t.same(readdirSync(disk), ['out.wav'])
  await writeFile(outside, 'x'.repeat(100_000))
  execFileSync('mount', ['-o', 'remount,ro', disk])
  await writeWav(at, TONE)
  t.same(await readFile(outside), WAV, 'also where the folder takes no other file')
  await t.rejects(writeWav(join(disk, 'new.wav'), TONE), { code: 'MOSS_FILE', message: /read-only/ })
})

t.test('a named pipe and a device', { skip: POSIX }, async t => {
  const path = join(t.testdir(), 'pipe')
  execFileSync('mkfifo', [path])
  const chunks: Buffer[] = []
  const read = (async () => {
    for await (const chunk of createReadStream(path)) chunks.push(chunk as Buffer)
  })()
  t.equal(await writeWav(path, sine(20)), 20, 'more than a pipe holds')
  await read
  const got = Buffer.concat(chunks)
  t.equal(got.readUInt32LE(40), 0xffffffff)
  t.same(got.subarray(44), encodeWav(sine(20)).subarray(44))

  const reader = createReadStream(path)
  reader.once('data', () => reader.destroy())
  const writer = await WavWriter.open(path)
  const endless = async (): Promise<void> => {
    for (;;) await writer.write(TONE)
  }
  await t.rejects(endless(), { code: 'MOSS_FILE', details: { path, code: 'EPIPE' } })
  t.equal(await writeWav('/dev/null', TONE), 0.5)
  if (existsSync('/dev/full'))
    await t.rejects(writeWav('/dev/full', TONE), { code: 'MOSS_FILE', message: /no space left/ })
  await t.rejects(writeWav(t.testdirName, TONE), { code: 'MOSS_FILE', message: /it is a folder/ })
})
