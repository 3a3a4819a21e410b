// What stops a reply: the share of sounds without words (laughter, sighs, groans) that would, and of speech, and how soon, for several values of
// `interruptThreshold` and `interruptAfter`. `node bench/barge-in.mjs BURSTS SPEECH...`: folders of recordings.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readAudio } from 'moss-speech-native'
import { nanoDetector } from '../dist/lib/engine/speech-detector.js'
import { TurnTaker } from '../dist/lib/live/turn-taker.js'

const [, , bursts, ...speech] = process.argv
const MOST = 200 // recordings of a folder
const RATE = 16_000
/** Speech is said to begin with the first window that is at least this probable. */
const ONSET = 0.2

/** The probabilities of the windows of recordings, each with half a second of silence before and after it. */
async function probabilities(folder) {
  const names = readdirSync(folder).filter(name => /\.(opus|flac|wav|ogg|mp3)$/.test(name))
  const step = Math.max(1, Math.floor(names.length / MOST))
  const all = []
  for (const name of names.filter((_, i) => i % step === 0)) {
    const { samples } = await readAudio(join(folder, name))
    const padded = new Float32Array(samples.length + RATE)
    padded.set(samples, RATE / 2)
    const detector = await nanoDetector()
    all.push({ window: detector.window, probabilities: await detector.push(padded) })
    detector.dispose()
  }
  return all
}

/** Milliseconds from the onset to the interruption; undefined if there is none. */
function interruption({ window, probabilities }, threshold, after) {
  const taker = new TurnTaker({ window, threshold: 0.4, silence: Infinity })
  const onset = probabilities.findIndex(probability => probability >= ONSET) * window
  for (const probability of probabilities) {
    const counted = probability >= threshold ? probability : 0
    if (taker.push(counted, (after * RATE) / 1000, Infinity)) return (1000 * (taker.position - onset)) / RATE
  }
  return undefined
}

const percent = (part, all) => `${((100 * part) / all).toFixed(0)} %`
const noises = await probabilities(bursts)
const words = (await Promise.all(speech.map(probabilities))).flat()
console.log(`${noises.length} bursts, ${words.length} recordings of speech`)
console.log(
  '| threshold | after | bursts that stop a reply | speech that does | median | 90 % |\n|---|---|---|---|---|---|',
)
for (const threshold of [0.2, 0.6, 0.8, 0.9, 0.95]) {
  for (const after of [100, 150, 200, 300]) {
    const stops = noises.filter(noise => interruption(noise, threshold, after) !== undefined).length
    const delays = words.flatMap(word => interruption(word, threshold, after) ?? []).sort((a, b) => a - b)
    const at = share => `${delays[Math.floor(share * (delays.length - 1))].toFixed(0)} ms`
    const shares = `${percent(stops, noises.length)} | ${percent(delays.length, words.length)}`
    console.log(`| ${threshold} | ${after} ms | ${shares} | ${at(0.5)} | ${at(0.9)} |`)
  }
}
