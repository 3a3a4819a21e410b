/*
 * Runs turns through the library, as a program that uses the package does: one JSON object a line in, one a line out, in order.
 *
 *     node training/evaluation/run_turns.mjs models/nano.gguf --threads 2 --out wavs/ < turns.jsonl
 *
 * In:  {"id", "speech": file | "text": string, "job": "turn" | "transcribe" | "speak", "output": "speech" | "text" | "both", "voice", "seed"}
 * Out: {"id", "heard": {"text", "language", "units", "pinyin"}, "units", "text", "wav", "timings", "cpuSeconds"} or {"id", "error"}
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { loadModel, MossSpeechError, writeWav } from 'moss-speech-native'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: 'string', default: '2' }, out: { type: 'string' } },
})
if (values.out) mkdirSync(values.out, { recursive: true })

const model = await loadModel(positionals[0], { threads: Number(values.threads) })
const session = model.createSession({ seed: 1 })

const joined = heard => heard && { ...heard, units: heard.units.map(u => u.unit).join('') }

/** The file that the audio is kept in, where there is any and files are asked for. */
async function kept(id, { audio, sampleRate }) {
  if (!values.out || audio.length === 0) return undefined
  const wav = join(values.out, `${String(id).replace(/[^\w.-]+/g, '_')}.wav`)
  await writeWav(wav, audio, { sampleRate })
  return wav
}

async function run({ id, job = 'turn', speech, text, output = 'both', voice, seed = 1 }) {
  if (job === 'transcribe') return { id, heard: joined(await session.transcribe(speech)) }
  if (job === 'speak') return { id, wav: await kept(id, await session.speak(text, { voice, seed }).result()) }
  session.reset()
  const began = process.cpuUsage()
  const reply = await session.generate(speech ? { speech } : { text }, { output, seed, maxSeconds: 15 }).result()
  const { user, system } = process.cpuUsage(began)
  const units = reply.units.join('')
  const cpuSeconds = (user + system) / 1e6
  return { id, heard: joined(reply.heard), units, text: reply.text, wav: await kept(id, reply), timings: reply.timings, cpuSeconds } // prettier-ignore
}

const { path, name, license, components, threads } = model.info()
const parameters = Object.fromEntries(components.map(c => [c.name, { parameters: c.parameters, bytes: c.bytes }]))
console.log(JSON.stringify({ model: { path, name, license, threads, components: parameters } }))
for await (const line of createInterface({ input: process.stdin })) {
  if (!line) continue
  const turn = JSON.parse(line)
  try {
    console.log(JSON.stringify(await run(turn)))
  } catch (error) {
    if (!(error instanceof MossSpeechError)) throw error
    console.log(JSON.stringify({ id: turn.id, error: `${error.code}: ${error.message}` }))
  }
}
await model.dispose()
