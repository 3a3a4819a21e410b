// Measures how intelligible a voice is: it reads English sentences aloud, and whisper-base transcribes them. Prints one
// JSON object: the word error rate, its 95 % interval, the numbers of words (`n`) and errors, and the transcript of
// each sentence.
//
//   node scripts/say-read-back.mjs joe.gguf [--phonemizer espeak-ng] [--speaker name] [--text sentences.txt] [--wavs folder]
//
// Needs `npm run build` and a Python with training/requirements.txt (MOSS_PYTHON, otherwise python3). The audio is the
// same in every run.

import { parseArgs } from 'node:util'
import { inFolder, judge, record, textsOf } from './recordings.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    phonemizer: { type: 'string' },
    speaker: { type: 'string' },
    text: { type: 'string' },
    wavs: { type: 'string' },
  },
})
const [voice] = positionals
if (voice === undefined) throw new Error('usage: node scripts/say-read-back.mjs voice.gguf')
const { phonemizer, speaker } = values

await inFolder(values.wavs, async folder => {
  const recorded = await record(voice, textsOf(values.text), folder, { voice: speaker, phonemizer })
  const { wer, interval, errors, words, sentences } = judge('read_back', { sentences: recorded.sentences })
  const heard = sentences.map(({ text, heard, errors }) => ({ text, heard, errors }))
  const about = { voice: recorded.voice, phonemizer: phonemizer ?? 'auto' }
  console.log(JSON.stringify({ ...about, wer, interval, n: words, errors, sentences: heard }, null, 2))
})
