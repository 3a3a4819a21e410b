// What stops a reply: the share of sounds without words (laughter, sighs, groans) that would, and of speech, and how soon, for values of
// `interruptThreshold` and `interruptSounds`. `node bench/barge-in.mjs BURSTS SPEECH...`: folders of recordings.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readAudio } from 'moss-speech-native'
import { load } from '../dist/lib/engine/compose.js'

const [, , bursts, ...speech] = process.argv
const MOST = 60 // recordings of a folder
const RATE = 16_000
/** Speech is said to begin with the first window that is at least this probable. */
const ONSET = 0.2
const AFTER = 0.15 * RATE
const THRESHOLDS = [0.2, 0.6, 0.9]
const SOUNDS = [0, 1, 2, 3, 4]
const weights = await load('nano', {})

/** For each threshold and number of sounds, the milliseconds from the onset to the interruption; undefined if there is none. */
async function interruptions(path) {
  const { samples } = await readAudio(path)
  const padded = new Float32Array(samples.length + RATE)
  padded.set(samples, RATE / 2)
  const detector = await weights.detector()
  const { window } = detector
  const probabilities = await detector.push(padded.slice())
  const onset = probabilities.findIndex(probability => probability >= ONSET) * window
  const found = {}
  for (const threshold of THRESHOLDS) {
    let start
    let left = SOUNDS
    for (const [i, probability] of probabilities.entries()) {
      start = probability < threshold ? undefined : (start ?? i * window)
      const end = (i + 1) * window
      if (start === undefined || end - start < AFTER) continue
      const from = Math.max(start - 0.1 * RATE, end - 0.8 * RATE)
      const heard = await detector.sounds(padded.slice(from, end))
      for (const sounds of left) if (heard >= sounds) found[`${threshold} ${sounds}`] = (1000 * (end - onset)) / RATE
      left = left.filter(sounds => heard < sounds)
      if (left.length === 0) break
    }
  }
  detector.dispose()
  return found
}

async function all(folders) {
  const found = []
  for (const folder of folders) {
    const names = readdirSync(folder).filter(name => /\.(opus|flac|wav|ogg|mp3)$/.test(name))
    const step = Math.max(1, Math.floor(names.length / MOST))
    for (const name of names.filter((_, i) => i % step === 0)) found.push(await interruptions(join(folder, name)))
  }
  return found
}

const percent = (part, whole) => `${((100 * part) / whole).toFixed(0)} %`
const noises = await all([bursts])
const words = await all(speech)
console.log(`${noises.length} bursts, ${words.length} recordings of speech`)
console.log(
  '| threshold | sounds | bursts that stop a reply | speech that does | median | 90 % |\n|---|---|---|---|---|---|',
)
for (const threshold of THRESHOLDS) {
  for (const sounds of SOUNDS) {
    const key = `${threshold} ${sounds}`
    const stops = noises.filter(noise => noise[key] !== undefined).length
    const delays = words.flatMap(word => word[key] ?? []).sort((a, b) => a - b)
    const at = share => `${delays[Math.floor(share * (delays.length - 1))].toFixed(0)} ms`
    const shares = `${percent(stops, noises.length)} | ${percent(delays.length, words.length)}`
    console.log(`| ${threshold} | ${sounds} | ${shares} | ${at(0.5)} | ${at(0.9)} |`)
  }
}
await weights.dispose()
