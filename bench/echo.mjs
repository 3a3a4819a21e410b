// Whether replies interrupt themselves where loudspeakers are used, and whether real interruptions are still heard: conversations with nano
// in simulated rooms, in which the reply is in the microphone again, 50 to 200 ms later, at -6 to -20 dB, with reverberation.
// `node bench/echo.mjs [turns]`, 100 of each kind by default. The results do not depend on the machine.

import { readdirSync } from 'node:fs'
import { loadModel, readAudio } from 'moss-speech-native'
import { converse, Room } from '../dist/bench/room.js'

const turns = Number(process.argv[2] ?? 100)
const ROOMS = 20
const folder = new URL('../test/audio/questions/', import.meta.url)
const names = readdirSync(folder).filter(name => name.endsWith('.opus'))
const questions = []
for (const name of names) questions.push((await readAudio(new URL(name, folder))).samples)
const model = await loadModel()

async function measure(label, { interrupts, echoCancellation }) {
  const total = { replies: 0, selfInterruptions: 0, interruptions: 0, caught: 0, latencies: [] }
  for (let i = 0; i < ROOMS; i++) {
    const share = i / (ROOMS - 1)
    const delay = 0.05 + (0.15 * ((7 * i) % ROOMS)) / (ROOMS - 1)
    const options = { seed: i + 1, level: -6 - 14 * share, delay, reverberation: 0.2 + 0.3 * share }
    const room = await Room.open(model.info().sampleRate, options)
    const session = model.createSession({ seed: 1 })
    const first = (3 * i) % questions.length
    const rotated = [...questions.slice(first), ...questions.slice(0, first)]
    const o = { turns: turns / ROOMS, questions: rotated, interrupts, echoCancellation }
    const outcome = await converse(session, room, o)
    await session.dispose()
    for (const key of ['replies', 'selfInterruptions', 'interruptions', 'caught']) total[key] += outcome[key]
    total.latencies.push(...outcome.latencies)
  }
  const sorted = total.latencies.sort((a, b) => a - b)
  const at = share => (sorted.length > 0 ? `${sorted[Math.floor(share * (sorted.length - 1))].toFixed(0)} ms` : '')
  const { replies, selfInterruptions, interruptions, caught } = total
  console.log(
    `| ${label} | ${replies} | ${selfInterruptions} | ${caught} of ${interruptions} | ${at(0.5)} | ${at(0.9)} |`,
  )
}

console.log('| | replies | interrupted themselves | interruptions heard | median | 90 % |\n|---|---|---|---|---|---|')
await measure('nobody interrupts', { interrupts: false, echoCancellation: true })
await measure('the user interrupts', { interrupts: true, echoCancellation: true })
await measure('without cancellation, nobody interrupts', { interrupts: false, echoCancellation: false })
await model.dispose()
