// What the addon makes of a model: `node parity.cjs MODEL.gguf IN.json` → JSON. See test_export.py.

const { readFileSync } = require('node:fs')
const { resolve } = require('node:path')
const { loadAddon } = require(resolve(__dirname, '..', '..', 'dist', 'lib', 'binding.js'))

async function read(stream) {
  const all = { features: [], units: [], textIds: [], samples: 0 }
  for (;;) {
    const chunk = await stream.next()
    for (const name of ['features', 'units', 'textIds']) if (chunk[name]) all[name].push(...chunk[name])
    all.samples += chunk.audio?.length ?? 0
    if (chunk.done) return all
  }
}

async function main([path, input]) {
  const { samples, textIds, units, replyIds } = JSON.parse(readFileSync(input, 'utf8'))
  const wave = Float32Array.from(samples)
  const model = await loadAddon().loadModel(path, { threads: 1, contextLength: 512 })
  const fresh = () => model.createSession({ seed: 1 })
  const greedy = { temperature: 0, repetitionPenalty: 1, seed: 1 }
  const loss = async question => (await model.compare('lm', model, { ...question, units: Int32Array.from(units), replyIds: Int32Array.from(replyIds) })).lossBefore
  const out = {
    losses: [await loss({ samples: wave }), await loss({ textIds: Int32Array.from(textIds) })],
    features: (await read(fresh().features(wave))).features,
    spoken: await read(fresh().generate({ samples: wave, output: 'speech', maxSeconds: 2, maxTokens: 4, ...greedy })),
    written: await read(fresh().generate({ textIds: Int32Array.from(textIds), output: 'text', maxTokens: 12, ...greedy })),
    decoded: (await read(fresh().speakUnits(Int32Array.from(units), { voice: 0, seed: 1 }))).samples,
  }
  console.log(JSON.stringify(out))
  process.exit(0)
}

main(process.argv.slice(2)).catch(error => {
  console.error(error)
  process.exit(1)
})
