// `npm run demo`: answers two recordings with speech, and prints where the answers are. nano was not trained on either
// of them: examples/audio/README.md.

import { mkdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { loadModel, writeWav } from '../lib/index.js'

const ROOT = resolve(__dirname, '..', '..')
const RECORDINGS = join(ROOT, 'examples', 'audio')
const OUT = join(ROOT, 'demo-out')

async function demo(): Promise<void> {
  const model = await loadModel()
  await mkdir(OUT, { recursive: true })
  console.log(`model    ${model.info().name}`)
  for (const [recording, answer, who] of [
    ['seven.flac', 'seven-answer.wav', 'theo, whom nano never heard'],
    [
      'nuanqi.opus',
      'nuanqi-answer.wav',
      'a synthetic voice that nano never heard, in words that it was never trained on',
    ],
  ] as const) {
    const session = model.createSession({ seed: 1 })
    const speech = join(RECORDINGS, recording)
    const reply = await session.generate({ speech }, { transcribe: true }).result()
    const wav = join(OUT, answer)
    await writeWav(wav, reply.audio, { sampleRate: reply.sampleRate })
    const { heard, text, seconds, timings } = reply
    const sounds = heard?.pinyin ?? `/${heard?.units.map(u => u.unit).join('') ?? ''}/`
    const factor = timings.totalMs / 1000 / (timings.inputSeconds + timings.replySeconds)
    console.log(`
question ${relative(process.cwd(), speech)}  (${who})
heard    ${heard?.text ?? ''}  ${sounds}
answer   ${text}
spoken   ${relative(process.cwd(), wav)}  (${seconds.toFixed(2)} s, computed in ${(factor * 100).toFixed(0)} % of real time)`)
    await session.dispose()
  }
  await model.dispose()
}

demo().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
