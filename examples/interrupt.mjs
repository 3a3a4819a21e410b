// Speech stops a reply, and the conversation keeps what was played of it. `node examples/interrupt.mjs`

import { loadModel, readAudio } from 'moss-speech-native'

const { samples } = await readAudio(new URL('audio/seven.flac', import.meta.url))
const model = await loadModel()
const session = model.createSession()
const live = session.listen()

live.write(samples)
live.write(new Float32Array(16_000)) // a second of silence ends the turn

let seconds = 0
for await (const event of live) {
  if (event.type === 'audio') {
    seconds += event.audio.length / model.info().sampleRate
    live.played(0) // the player will begin now
  } else if (event.type === 'replyEnd' && event.turn === 1) {
    console.log(`the reply: ${event.reply.text}`)
    live.played(seconds / 2) // the player is here when the user speaks again
    live.write(samples)
    live.end()
  } else if (event.type === 'interrupted') console.log(`interrupted after ${event.played.toFixed(2)} s`)
  else if (event.type === 'shortened') console.log(`remembered: ${event.text}`)
}
await session.dispose()
await model.dispose()
