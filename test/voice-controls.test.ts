// nano's controls keep their word: speed, pitch, energy and pause, measured on what the default voices say.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadModel } from '../dist/lib/index.js'
import { root } from './helpers/model.js'

const skip = existsSync(join(root, 'models', 'nano.gguf')) ? false : 'models/nano.gguf is not there'

interface Row {
  voice: string
  control: string
  asked: number
  measured: number
  kept: boolean
}

t.test('speed, pitch, energy and pause do what they are told', { skip, timeout: 600_000 }, async t => {
  const args = [join(root, 'scripts', 'voice-controls.mjs'), '--voices', 'af_heart,zf_xiaoxiao', '--json']
  const rows = await new Promise<Row[]>((resolve, reject) => {
    // The exit code is 1 if a bound is exceeded; the rows say which.
    execFile(process.execPath, args, { cwd: root }, (error, stdout) => {
      if (stdout === '') reject(error ?? new Error('nothing was printed'))
      else resolve(JSON.parse(stdout) as Row[])
    })
  })
  t.equal(rows.length, 2 * 15, 'two voices, fifteen settings')
  for (const { voice, control, asked, measured, kept } of rows) {
    t.ok(kept, `${voice}: ${control} ${asked} is measured as ${measured}`)
  }
})

t.test('all voices are about equally loud, and none is clipped', { skip }, async t => {
  const model = await loadModel()
  const session = model.createSession()
  for (const { name, language } of model.info().voices) {
    const text = language === 'zh' ? '好的，客厅的灯打开了。' : 'All right, the kitchen light is on.'
    const { audio, sampleRate } = await session.speak(text, { voice: name }).result()
    const size = sampleRate / 50
    const levels = Array.from({ length: Math.floor(audio.length / size) }, (_, i) =>
      Math.sqrt(audio.subarray(i * size, (i + 1) * size).reduce((sum, x) => sum + x * x, 0) / size),
    )
    const spoken = levels.filter(level => level > Math.max(...levels) / 30)
    const level = 10 * Math.log10(spoken.reduce((sum, x) => sum + x * x, 0) / spoken.length)
    t.ok(level > -24 && level < -17, `${name}: ${level.toFixed(1)} dB of full scale`)
    t.ok(Math.max(...audio.map(Math.abs)) < 0.99, `${name}: its peak`)
  }
  await model.dispose()
})

t.test('without pauses, a reply has the same units and hardly any silence', { skip }, async t => {
  const model = await loadModel()
  const [said, dense] = await Promise.all(
    [1, 0].map(pause => model.createSession().generate({ text: 'good morning' }, { pause, seed: 1, temperature: 0 }).result()), // prettier-ignore
  )
  t.same(dense?.units, said?.units)
  const [long, short] = [said?.audio.length ?? 0, dense?.audio.length ?? 0]
  t.ok(short > 0 && short < 0.8 * long, `${short} of ${long} samples`)
  await model.dispose()
})
