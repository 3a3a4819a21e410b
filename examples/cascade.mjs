// A conversation composed of parts: speech → text → answer → speech. The text appears while it is written, and the answer is spoken a
// sentence at a time. `node examples/cascade.mjs question.wav wav2vec2.gguf qwen3.gguf joe.gguf`; parts that are not given are nano's.

import { fileURLToPath } from 'node:url'
import { loadModel, WavWriter } from 'moss-speech-native'

const seven = fileURLToPath(new URL('audio/seven.flac', import.meta.url))
const [speech = seven, encoder = 'nano', lm = 'nano', voice = 'nano'] = process.argv.slice(2)
const model = await loadModel({ encoder, lm, voice })
const session = model.createSession()
const { path, modes } = session.info()
console.log(`${model.info().name}: ${path}, ${modes.join(', ')}`)

const reply = session.generate({ speech }, { seed: 1 })
const wav = await WavWriter.open('answer.wav', { sampleRate: model.info().sampleRate })
for await (const { heard, text, audio } of reply) {
  if (heard) process.stdout.write(`heard  ${heard.text}\nreply  `)
  if (text) process.stdout.write(text)
  if (audio) await wav.write(audio)
}
await wav.close()

const { seconds, timings } = await reply.result()
console.log(`\nanswer.wav, ${seconds.toFixed(2)} s; the first sound came after ${timings.firstAudioMs.toFixed(0)} ms`)
await session.dispose()
await model.dispose()
