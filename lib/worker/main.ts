import { parentPort, type TransferListItem } from 'node:worker_threads'
import { toMossError } from '../errors.js'
import { collectGarbage } from './garbage.js'
import type { Answer, Job, JobName, Jobs } from './jobs.js'
import { standBack } from './priority.js'

type Handlers = { [N in JobName]: (input: Jobs[N]['input']) => Jobs[N]['output'] | Promise<Jobs[N]['output']> }

// Each module is loaded when it is first needed, so that a thread that only tokenizes does not load the dictionaries.
const tokenizer = () => import('../text/tokenizer.js')
const chat = () => import('../text/chat.js')

const handlers: Handlers = {
  decodeAudio: async ({ source, maxSeconds }) => (await import('../audio/decode.js')).decodeAudio(source, maxSeconds),
  resample: async ({ samples, from, to }) => (await import('../audio/resample.js')).resample(samples, from, to),
  hashFile: async ({ path }) => (await import('./hash-file.js')).hashFile(path),
  loadTokenizer: async ({ key, json }) => (await tokenizer()).loadTokenizer(key, json),
  loadChat: async ({ key, path }) => (await chat()).loadChat(key, path),
  chatPrompt: async ({ key, messages, thinking }) => (await chat()).chatPrompt(key, messages, thinking),
  freeTokenizer: async ({ key }) => (await tokenizer()).freeTokenizer(key),
  encodeText: async ({ key, text }) => (await tokenizer()).encodeText(key, text),
  decodeText: async ({ key, ids }) => (await tokenizer()).decodeText(key, ids),
  textToUnits: async script => (await import('../text/frontend.js')).textToUnits(script),
  textToVoice: async ({ script, voice, phonemizer }) =>
    (await import('../text/voice.js')).textToVoice(script, voice, phonemizer),
}

/** Jobs that leave much garbage in memory. */
const UNTIDY: readonly JobName[] = ['loadTokenizer', 'loadChat']

standBack()

// The decoders also print the errors that they return.
console.error = console.warn = () => undefined

/** Sample buffers are transferred to the main thread instead of being copied. */
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

// Jobs run one after the other, in the order in which they arrive.
let last: Promise<void> = Promise.resolve()
parentPort?.on('message', (job: Job) => {
  last = last.then(() => answer(job))
  if (UNTIDY.includes(job.name)) last = last.then(collectGarbage)
})
