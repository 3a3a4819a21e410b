/*
 * Where live sessions of the library end the first turn of recordings: one JSON object a line in, one a line out, in order.
 *
 *     node training/evaluation/run_turn_ends.mjs models/nano.gguf '{"turnDetection": "auto"}' < turns.jsonl
 *
 * In:  {"id", "file": 32-bit floats at 16 kHz}
 * Out: {"id", "decided": seconds of the input, "reason"}
 */
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { loadModel } from 'moss-speech-native'

const model = await loadModel(process.argv[2], { threads: 1 })
const session = model.createSession({ seed: 1 })
const options = { output: 'text', ...JSON.parse(process.argv[3] ?? '{}') }

async function run({ id, file }) {
  const bytes = await readFile(file)
  const live = session.listen(options)
  live.write(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4))
  live.end()
  for await (const event of live) {
    if (event.type === 'turnEnd') return { id, decided: event.decided, reason: event.reason }
  }
  throw new Error(`${id}: nobody speaks`)
}

for await (const line of createInterface({ input: process.stdin })) {
  if (!line) continue
  session.reset()
  console.log(JSON.stringify(await run(JSON.parse(line))))
}
await model.dispose()
