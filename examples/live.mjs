// A spoken conversation, with a file as the microphone, in real time. `node examples/live.mjs question.wav`

import { setTimeout as sleep } from 'node:timers/promises'
import { loadModel, readAudio, WavWriter } from 'moss-speech-native'

const [, , path = new URL('audio/seven.flac', import.meta.url)] = process.argv
const { samples } = await readAudio(path)
const model = await loadModel()
const session = model.createSession()
const live = session.listen()

async function speak() {
  const piece = 320 // 20 ms, as microphones deliver it
  const silence = new Float32Array(16_000)
  for (const part of [samples, silence]) {
    for (let i = 0; i < part.length; i += piece) {
      live.write(part.subarray(i, i + piece))
      await sleep(20)
    }
  }
  live.end()
}

const speaking = speak()
const output = await WavWriter.open('answer.wav', { sampleRate: model.info().sampleRate })
for await (const event of live) {
  if (event.type === 'audio') await output.write(event.audio)
  else if (event.type === 'text') process.stdout.write(event.text)
  else if (event.type === 'replyEnd')
    console.log(`\n${event.timings.answerMs.toFixed(0)} ms from the end of the turn to the first audio`)
}
await speaking
await output.close()
await session.dispose()
await model.dispose()
