// How soon nano answers: from commit() to the first audio, for real questions that are written as a microphone would.
// `node bench/live.mjs [threads]`. Prints a ledger of medians and 95th percentiles.

import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadModel, readAudio } from 'moss-speech-native'

const threads = Number(process.argv[2] ?? 2)
const folder = new URL('../test/audio/questions/', import.meta.url)
const files = readdirSync(folder).filter(name => name.endsWith('.opus'))
const model = await loadModel('nano', { threads })
const session = model.createSession({ seed: 1 })
const rows = []

for (let round = 0; round < 2; round++) {
  for (const name of files) {
    const { samples } = await readAudio(new URL(name, folder))
    session.reset()
    const live = session.listen({ turnDetection: 'manual', seed: 1 })
    const events = live[Symbol.asyncIterator]()
    for (let i = 0; i < samples.length; i += 1600) {
      live.write(samples.subarray(i, i + 1600))
      await sleep(10) // ten times as fast as speech
    }
    const committed = performance.now()
    live.commit()
    live.end()
    let first
    let timings
    for (let step = await events.next(); !step.done; step = await events.next()) {
      if (step.value.type === 'audio') first ??= performance.now() - committed
      if (step.value.type === 'replyEnd') timings = step.value.timings
    }
    if (first !== undefined && round > 0) rows.push({ first, ...timings })
  }
}
await model.dispose()

const at = (key, share) => {
  const sorted = rows.map(row => row[key]).sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(1)
}
console.log(`nano, ${threads} threads, ${rows.length} turns; milliseconds`)
console.log('| | median | p95 |\n|---|---|---|')
for (const [label, key] of [
  ['commit() to the first audio that is read', 'first'],
  ['decision to the first audio', 'answerMs'],
  ['decision until the last speech was encoded', 'heardMs'],
  ['decision until the language model had read it', 'readyMs'],
  ['decision to the first phoneme', 'firstTokenMs'],
  ['decision to the first audio, natively', 'firstAudioMs'],
  ['the whole reply', 'totalMs'],
])
  console.log(`| ${label} | ${at(key, 0.5)} | ${at(key, 0.95)} |`)
