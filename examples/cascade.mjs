// A conversation composed of parts: speech → text → answer → speech. The text is shown while it is generated, and the
// answer is spoken sentence by sentence. `node examples/cascade.mjs question.wav wav2vec2.gguf qwen3.gguf joe.gguf`;
// nano provides the parts that are not given.

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
