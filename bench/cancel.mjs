/*
 * How long it takes until a session is free again after its work was stopped, anywhere: while a prompt is read, speech is
 * heard, a reply is generated or spoken, alone or beside other sessions. Prints a table of medians and maxima.
 *
 *     node bench/cancel.mjs                                    # nano; and a language model of Qwen3-0.6B's shape (2 GB are cached)
 *     node bench/cancel.mjs --threads 2 --rounds 20 --small    # nano alone
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { loadModel } from 'moss-speech-native'
import { median, rounded, whole } from './harness.mjs'
import { qwen3 } from './language-models.mjs'

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '15' },
    small: { type: 'boolean', default: false },
  },
})
const threads = whole('threads', values.threads)
const rounds = whole('rounds', values.rounds)

/** Starts `begin(signal)` of a new session, aborts it after a while, and tells how long the session was busy after that. */
async function stopped(model, begin, longest, round) {
  const session = model.createSession({ seed: round })
  const stop = new AbortController()
  const ended = begin(session, stop.signal).then(
    () => 'finished',
    () => 'stopped',
  )
  await sleep(5 + (longest * (round + 0.5)) / rounds)
  const aborted = performance.now()
  stop.abort()
  const how = await ended
  await session.generate({ text: 'a' }, { output: 'text', maxTokens: 1 }).result() // waits until the native work has ended
  const ms = performance.now() - aborted
  await session.dispose()
  return how === 'stopped' ? ms : undefined
}

async function row(model, name, begin, longest) {
  const after = []
  const single = []
  for (let round = 0; round < rounds; round++) {
    const session = model.createSession()
    const start = performance.now()
    await session.generate({ text: 'a' }, { output: 'text', maxTokens: 1 }).result()
    single.push(performance.now() - start)
    await session.dispose()
    const ms = await stopped(model, begin, longest, round)
    if (ms !== undefined) after.push(ms)
  }
  // The turn of one token that shows the session to be free takes time itself, which is subtracted.
  const own = median(single)
  const times = after.map(ms => Math.max(0, ms - own))
  console.log(`| ${name} | ${rounded(median(times), 1)} ms | ${rounded(Math.max(...times), 1)} ms | ${times.length} |`)
}

const audio = Float32Array.from({ length: 16_000 * 20 }, (_, i) => 0.3 * Math.sin(i / 9) * Math.sin(i / 3000))
const words = 'and then we went along the river to the old mill '
console.log('| stopped while | median | at most | times |')
console.log('| --- | --- | --- | --- |')

const nano = await loadModel('nano', { threads })
await nano.createSession().speak('one 一').result() // loads the dictionaries
await row(nano, 'nano hears', (s, signal) => s.generate({ speech: { samples: audio, sampleRate: 16_000 } }, { signal, vad: false }).result(), 300) // prettier-ignore
await row(nano, 'nano speaks a text', (s, signal) => s.speak(words.repeat(20), { signal }).result(), 600)
await row(nano, 'nano replies', (s, signal) => s.generate({ text: 'say hello world again and again' }, { signal }).result(), 150) // prettier-ignore
const others = [1, 2, 3].map(seed => nano.createSession({ seed }).speak(words.repeat(400)).result().catch(() => undefined)) // prettier-ignore
await row(nano, 'nano speaks beside three others', (s, signal) => s.speak(words.repeat(20), { signal }).result(), 600)
await nano.dispose()
await Promise.all(others)

if (!values.small) {
  const large = await loadModel(await qwen3(), { threads, contextLength: 4096 })
  const text = words.repeat(120)
  await row(large, 'a language model of 0.6B reads a prompt', (s, signal) => s.generate({ text }, { signal }).result(), 2000) // prettier-ignore
  await row(large, 'it writes', (s, signal) => s.generate({ text: 'a' }, { signal, maxTokens: 400 }).result(), 1500)
  const writers = [1, 2, 3].map(seed => large.createSession({ seed }).generate({ text: 'a' }, { maxTokens: 4000 }).result().catch(() => undefined)) // prettier-ignore
  await row(large, 'it writes beside three others', (s, signal) => s.generate({ text: 'a' }, { signal, maxTokens: 400 }).result(), 1500) // prettier-ignore
  await large.dispose()
  await Promise.all(writers)
}
