// Whether a voice is understood: it reads English sentences aloud, whisper-base writes them down. Prints one JSON object: the word error
// rate, its 95 % interval, how many words (`n`) and errors, and what was heard of each sentence.
//
//   node scripts/say-read-back.mjs joe.gguf [--phonemizer espeak-ng] [--speaker name] [--text sentences.txt] [--wavs folder]
//
// Needs `npm run build` and a Python with training/requirements.txt (MOSS_PYTHON, else python3); equal audio on every run.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { loadModel, writeWav } from 'moss-speech-native'
import { root } from './lib.mjs'

/** Our own: everyday words, every English phoneme, statements and questions of several lengths. */
const SENTENCES = [
  'The old ferry leaves the harbor just before sunrise.',
  'Could you please bring two more chairs to the garden?',
  'My sister keeps her bicycle behind the wooden shed.',
  'A thick fog covered the valley until late in the morning.',
  'They measured the width of the bridge three times.',
  'Fresh bread and yellow cheese were waiting on the table.',
  'Why did the music stop in the middle of the song?',
  'The young doctor spoke quietly to the worried children.',
  'We usually take the train when the roads are icy.',
  'Nothing in the kitchen had been touched for several weeks.',
  'He joined the choir because he enjoys singing with others.',
  'The judge asked the witness to describe the stranger.',
  'Put the heavy boxes near the window and close the door.',
  'Her answer was short, polite and perfectly clear.',
  'Thousands of birds rest on this island every spring.',
  'The blue lamp above the stairs needs a new bulb.',
  'Please remember to water the plants while I am away.',
  'A small boy pushed his boat across the pond with a stick.',
  'The engineer found a loose wire inside the machine.',
  'Will the weather be good enough for a picnic on Sunday?',
]

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
const lines = values.text === undefined ? SENTENCES : readFileSync(values.text, 'utf8').split('\n')
const texts = lines.map(line => line.trim()).filter(line => line !== '')

/** Each sentence by itself, into a wav of its own. */
async function record(folder) {
  const model = await loadModel({ voice })
  const session = model.createSession()
  const { sampleRate, name } = model.info()
  const options = { seed: 1, voice: values.speaker, phonemizer: values.phonemizer }
  const sentences = []
  for (const [i, text] of texts.entries()) {
    const wav = join(folder, `${String(i + 1).padStart(3, '0')}.wav`)
    await writeWav(wav, (await session.speak(text, options).result()).audio, { sampleRate })
    sentences.push({ text, wav })
  }
  await model.dispose()
  return { voice: name, sentences }
}

function judge(sentences) {
  const { status, stdout, error } = spawnSync(
    process.env.MOSS_PYTHON ?? 'python3',
    ['-m', 'training.evaluation.read_back'],
    { cwd: root, input: JSON.stringify({ sentences }), encoding: 'utf8', stdio: ['pipe', 'pipe', 'inherit'] },
  )
  if (status !== 0) throw new Error('the judge failed', { cause: error })
  return JSON.parse(stdout)
}

const kept = values.wavs === undefined ? undefined : resolve(values.wavs)
const folder = kept ?? mkdtempSync(join(tmpdir(), 'say-read-back-'))
mkdirSync(folder, { recursive: true })
try {
  const recorded = await record(folder)
  const { wer, interval, errors, words, sentences } = judge(recorded.sentences)
  const heard = sentences.map(({ text, heard, errors }) => ({ text, heard, errors }))
  const about = { voice: recorded.voice, phonemizer: values.phonemizer ?? 'auto' }
  console.log(JSON.stringify({ ...about, wer, interval, n: words, errors, sentences: heard }, null, 2))
} finally {
  if (kept === undefined) rmSync(folder, { recursive: true })
}
