// Measures whether a voice sounds worse with weights of another type. Its files read the same sentences aloud without
// randomness, and distillmos predicts the ratings that people would give. Prints for each file the mean opinion score
// (1 to 5), the mean difference to the first file with its 95 % interval, the largest difference, and how many
// sentences have the same length as with the first file.
//
//   node scripts/say-mos.mjs joe-f32.gguf joe-q8_0.gguf joe-bf16.gguf [--noise-scale 0] [--speaker name] [--text sentences.txt]
//     [--wavs folder] [--json]
//
// Needs `npm run build` and a Python with training/requirements.txt (MOSS_PYTHON, otherwise python3). The audio is the
// same in every run.

import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { inFolder, judge, record, textsOf } from './recordings.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'noise-scale': { type: 'string', default: '0' },
    speaker: { type: 'string' },
    text: { type: 'string' },
    wavs: { type: 'string' },
    json: { type: 'boolean' },
  },
})
if (positionals.length < 2) throw new Error('usage: node scripts/say-mos.mjs reference.gguf other.gguf …')
const texts = textsOf(values.text)
const noiseScale = Number(values['noise-scale'])

await inFolder(values.wavs, async folder => {
  const recorded = []
  for (const [i, file] of positionals.entries()) {
    const options = { voice: values.speaker, noiseScale, noiseW: 0 } // so that the rhythm only differs by rounding errors
    recorded.push(await record(file, texts, join(folder, `${i + 1}`), options))
  }
  const { voices } = judge('opinion', { voices: recorded })
  const sameLength = sentences =>
    sentences.filter(({ samples }, i) => samples === voices[0].sentences[i].samples).length
  const results = voices.map(({ mos, difference, interval, farthest, sentences }, i) => ({
    file: basename(positionals[i]),
    mos,
    difference,
    interval,
    farthest,
    sameLength: sameLength(sentences),
    sentences: sentences.map(({ mos }) => mos),
  }))
  if (values.json) return console.log(JSON.stringify({ noiseScale, n: texts.length, texts, voices: results }, null, 2))
  for (const { file, mos, difference, interval, farthest, sameLength } of results) {
    const [low, high] = interval.map(n => n.toFixed(4))
    const against = `${difference.toFixed(4)} (95 %: ${low} to ${high}; farthest ${farthest.toFixed(3)})`
    console.log(
      `${file}: MOS ${mos.toFixed(3)}, difference ${against}; n = ${texts.length}, ${sameLength} of equal length`,
    )
  }
})
