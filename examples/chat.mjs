// A conversation: every recording on the command line is a turn. `node examples/chat.mjs examples/audio/seven.flac`

import { loadModel, writeWav } from 'moss-speech-native'

const recordings = process.argv.slice(2)
if (recordings.length === 0) throw new Error('usage: node examples/chat.mjs recording.wav …')

const model = await loadModel()
const session = model.createSession()
for (const [turn, speech] of recordings.entries()) {
  const reply = await session.generate({ speech }, { transcribe: true }).result()
  await writeWav(`reply-${turn + 1}.wav`, reply.audio, { sampleRate: reply.sampleRate })
  console.log(`${reply.heard.text} → ${reply.text} (reply-${turn + 1}.wav)`)
}
await session.dispose()
await model.dispose()
