import { parentPort, type TransferListItem } from 'node:worker_threads'
import { decodeAudio } from '../audio/decode.js'
import { resample } from '../audio/resample.js'
import { toMossError } from '../errors.js'
import { textToUnits } from '../text/frontend.js'
import { textToVoice } from '../text/voice.js'
import { decodeText, encodeText, freeTokenizer, loadTokenizer } from '../text/tokenizer.js'
import type { Answer, Job, JobName, Jobs } from './jobs.js'

type Handlers = { [N in JobName]: (input: Jobs[N]['input']) => Jobs[N]['output'] | Promise<Jobs[N]['output']> }

const handlers: Handlers = {
  decodeAudio: ({ source, maxSeconds }) => decodeAudio(source, maxSeconds),
  resample: ({ samples, from, to }) => resample(samples, from, to),
  loadTokenizer: ({ key, json }) => loadTokenizer(key, json),
  loadChat: async ({ key, path }) => (await import('../text/chat.js')).loadChat(key, path),
  chatPrompt: async ({ key, messages, thinking }) =>
    (await import('../text/chat.js')).chatPrompt(key, messages, thinking),
  freeTokenizer: ({ key }) => freeTokenizer(key),
  encodeText: ({ key, text }) => encodeText(key, text),
  decodeText: ({ key, ids }) => decodeText(key, ids),
  textToUnits: ({ text }) => textToUnits(text),
  textToVoice: ({ text, voice, phonemizer }) => textToVoice(text, voice, phonemizer),
}

// The decoders print what they also return as errors.
console.error = console.warn = () => undefined

/** Sample buffers move to the main thread instead of being copied. */
function buffersOf(output: unknown): TransferListItem[] {
  const samples = output instanceof Float32Array ? output : (output as { samples?: unknown } | undefined)?.samples
  return samples instanceof Float32Array && samples.buffer instanceof ArrayBuffer ? [samples.buffer] : []
}

async function answer(job: Job): Promise<void> {
  try {
    const handler = handlers[job.name] as (input: unknown) => unknown
    const output = await handler(job.input)
    parentPort?.postMessage({ id: job.id, output } satisfies Answer, buffersOf(output))
  } catch (thrown) {
    const { message, code, details } = toMossError(thrown)
    parentPort?.postMessage({ id: job.id, error: { message, code, details } } satisfies Answer)
  }
}

// One job after the other, in the order in which they came.
let last: Promise<void> = Promise.resolve()
parentPort?.on('message', (job: Job) => {
  last = last.then(() => answer(job))
})
