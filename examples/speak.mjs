// Reads a text aloud in each of the model's voices. `node examples/speak.mjs "Hello there. 你好。"`

import { loadModel, writeWav } from 'moss-speech-native'

const [text = 'Hello there. 你好，世界。'] = process.argv.slice(2)
const model = await loadModel()
const session = model.createSession()
const { voices, sampleRate } = model.info()
for (const { name } of voices) {
  const chunks = []
  for await (const { audio } of session.speak(text, { voice: name, speed: 0.95 })) if (audio) chunks.push(audio)
  const seconds = await writeWav(`${name}.wav`, chunks, { sampleRate })
  console.log(`${name}.wav ${seconds.toFixed(2)} s`)
}
await session.dispose()
await model.dispose()
