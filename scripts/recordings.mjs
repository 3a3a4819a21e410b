// Functions for the scripts that let a voice read aloud and evaluate the recordings in Python.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { loadModel, writeWav } from 'moss-speech-native'
import { root } from './lib.mjs'

/** The default sentences: everyday words, every English phoneme, statements and questions of several lengths. */
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

/** The lines of a text file, or the default sentences. */
export function textsOf(file) {
  const lines = file === undefined ? SENTENCES : readFileSync(file, 'utf8').split('\n')
  return lines.map(line => line.trim()).filter(line => line !== '')
}

/** Records each text in a separate wav file. The audio is the same in every run. `options` are those of `speak`. */
export async function record(voice, texts, folder, options) {
  mkdirSync(folder, { recursive: true })
  const model = await loadModel({ voice })
  const session = model.createSession()
  const { sampleRate, name } = model.info()
  const sentences = []
  for (const [i, text] of texts.entries()) {
    const wav = join(folder, `${String(i + 1).padStart(3, '0')}.wav`)
    const { audio } = await session.speak(text, { seed: 1, ...options }).result()
    await writeWav(wav, audio, { sampleRate })
    sentences.push({ text, wav, samples: audio.length })
  }
  await model.dispose()
  return { voice: name, sentences }
}

/** Sends a request to a module of training/evaluation and returns its answer. */
export function judge(module, request) {
  const { status, stdout, error } = spawnSync(
    process.env.MOSS_PYTHON ?? 'python3',
    ['-m', `training.evaluation.${module}`],
    { cwd: root, input: JSON.stringify(request), encoding: 'utf8', stdio: ['pipe', 'pipe', 'inherit'] },
  )
  if (status !== 0) throw new Error('the judge failed', { cause: error })
  return JSON.parse(stdout)
}

/** Runs `work(folder)` with the folder `kept`, or with one that is deleted afterwards. */
export async function inFolder(kept, work) {
  const folder = kept === undefined ? mkdtempSync(join(tmpdir(), 'moss-recordings-')) : resolve(kept)
  try {
    return await work(folder)
  } finally {
    if (kept === undefined) rmSync(folder, { recursive: true })
  }
}
