/*
 * A process of bench/load.mjs: loads a model, runs one task, and reports when the first result was ready and how much
 * memory it took. Prints one line of JSON at the first result, and one at the end.
 *
 *     node bench/first-result.mjs nothing
 *     node bench/first-result.mjs speak|write|reply|features MODEL THREADS [SAMPLES.f32]
 */
import { readFileSync } from 'node:fs'

const [kind, path, threads, samplesFile] = process.argv.slice(2)
const say = line => console.log(JSON.stringify(line))

/**
 * The peak of this process's resident memory, in MB. On Linux it is not read with getrusage, whose value includes the
 * parent process's.
 */
function peakMemory() {
  const kb =
    process.platform === 'linux'
      ? Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
      : process.resourceUsage().maxRSS
  return kb / 1024
}

function samples() {
  const bytes = readFileSync(samplesFile)
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}

const first = () => say({ first: true })
const jobs = {
  speak: session => session.speak('The kitchen light is on, and the door is closed.', { seed: 1 }),
  write: session => session.generate({ text: 'Is the kitchen light on?' }, { seed: 1, temperature: 0, maxTokens: 64 }),
  reply: session =>
    session.generate({ speech: { samples: samples(), sampleRate: 16_000 } }, { output: 'speech', seed: 1 }),
}

if (kind === 'nothing') {
  first()
} else {
  const { loadModel } = await import('moss-speech-native')
  const model = await loadModel(path, { threads: Number(threads) })
  const session = model.createSession({ seed: 1 })
  if (kind === 'features') {
    await session.features({ samples: samples(), sampleRate: 16_000 })
    first()
  } else {
    let seen = false
    for await (const chunk of jobs[kind](session)) {
      if (!seen && (kind === 'write' || chunk.audio?.length > 0)) first()
      seen ||= kind === 'write' || chunk.audio?.length > 0
    }
  }
}
say({ peakMb: peakMemory() })
process.exit() // does not wait for open handles, which are not measured
