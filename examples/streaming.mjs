// A reply chunk by chunk, as it is made, and how to stop one. `node examples/streaming.mjs`

import { loadModel } from 'moss-speech-native'

const model = await loadModel()
const session = model.createSession()

const started = performance.now()
for await (const { audio, units, text } of session.generate({ text: 'good morning' })) {
  const at = `${(performance.now() - started).toFixed(0)} ms`.padStart(8)
  if (audio) console.log(at, `${audio.length} samples`)
  if (units) console.log(at, `units ${units.join('')}`)
  if (text) console.log(at, `text  ${text}`)
}

// A signal stops a reply at once; the session then is as it was before the turn.
try {
  await session.generate({ text: 'good evening' }, { signal: AbortSignal.timeout(5) }).result()
  console.log('the reply came in less than 5 ms')
} catch (error) {
  console.log(`stopped: ${error.code}`)
}
await session.dispose()
await model.dispose()
