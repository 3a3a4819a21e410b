// nano, the bundle that comes with the package: the demo, and that the speech of a reply matches its text.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { loadModel, readAudio } from '../dist/lib/index.js'
import { textToUnits } from '../dist/lib/text/frontend.js'
import { isTone, plainScript } from '../dist/lib/text/speech.js'
import { root } from './helpers/model.js'
import { bare, edits } from './helpers/units.js'

const skip = existsSync(join(root, 'models', 'nano.gguf')) ? false : 'models/nano.gguf is not there'

t.test('the demo answers two recordings with speech', { skip }, async t => {
  const out = join(root, 'demo-out')
  await rm(out, { recursive: true, force: true })
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'dist', 'examples', 'demo.js')], {
    cwd: root,
  })
  t.match(stdout, 'heard    seven', 'what was said')
  t.match(stdout, 'answer   You said seven.')
  t.match(stdout, 'heard    你好，请打开厨房', 'what was said')
  t.match(stdout, 'answer   好的，厨房的暖气打开了。')
  for (const name of ['seven-answer.wav', 'nuanqi-answer.wav']) {
    t.match(stdout, name, 'it says where the wav is')
    const audio = await readAudio(join(out, name))
    t.ok(audio.seconds > 0.5 && audio.seconds < 20, `${name}: ${audio.seconds.toFixed(2)} s`)
    const level = Math.sqrt(audio.samples.reduce((sum, x) => sum + x * x, 0) / audio.samples.length)
    t.ok(level > 0.005, `${name} is no silence`)
  }
})

t.test('the speech of a reply matches its text', { skip }, async t => {
  const model = await loadModel()
  for (const text of ['turn on the kitchen light', 'good morning', '打开卧室的灯', 'seven', '七']) {
    const session = model.createSession({ seed: 1 })
    const reply = await session.generate({ text }).result()
    const written = (await textToUnits(plainScript(reply.text)))
      .map(part => (isTone(part) ? '' : part.symbols.join('')))
      .join('')
    const spoken = bare(reply.units.join(''))
    const apart = edits(bare(written), spoken) / Math.max(1, spoken.length)
    t.ok(apart <= 0.15, `${text}: "${reply.text}" is spoken ${reply.units.join('')}`)
    t.equal(reply.language, /\p{Script=Han}/u.test(reply.text) ? 'zh' : 'en')
    await session.dispose()
  }
  await model.dispose()
})

t.test('it repeats what it is told to repeat', { skip }, async t => {
  const model = await loadModel()
  for (const [request, text, units] of [
    ['Repeat after me: forty two.', 'Forty-two.', 'fɔɹtitu'],
    ['Say after me: good things take time', 'Good things take time.', 'ɡʊdθɪŋztAktIm'],
    ['say: the night is quiet', 'The night is quiet.', 'ðənItɪzkwIət'],
    ['重复：三十七', '三十七。', 'sa→nʂɨ↗ʨʰi→'],
  ] as const) {
    const session = model.createSession({ seed: 1 })
    const reply = await session.generate({ text: request }).result()
    t.equal(reply.text, text, request)
    t.equal(bare(reply.units.join('')), units, request)
    await session.dispose()
  }
  await model.dispose()
})

t.test('any number of threads computes the same', { skip }, async t => {
  const said: Float32Array[] = []
  for (const threads of [1, 2, 3]) {
    const model = await loadModel(undefined, { threads })
    const session = model.createSession({ seed: 1 })
    said.push((await session.speak('The light in the bedroom is on.').result()).audio)
    await model.dispose()
  }
  for (const audio of said) t.same(Buffer.from(audio.buffer), Buffer.from(said[0]?.buffer ?? new ArrayBuffer(0)))
})

t.test('a voice and a speed change the speech, not the words', { skip }, async t => {
  const model = await loadModel()
  const session = model.createSession({ seed: 1 })
  const [slow, fast] = [await session.speak('The light is on.', { speed: 0.7 }).result(), await session.speak('The light is on.', { speed: 1.4 }).result()] // prettier-ignore
  t.ok(slow.seconds > 1.4 * fast.seconds, `${slow.seconds.toFixed(2)} s and ${fast.seconds.toFixed(2)} s`)
  t.same(slow.units, fast.units)
  for (const { name } of model.info().voices) {
    const spoken = await session.speak('你好。', { voice: name }).result()
    t.same(spoken.units.join(''), 'ni↗ xau↓.', name)
    t.ok(spoken.seconds > 0.3 && spoken.seconds < 3)
  }
  await model.dispose()
})
