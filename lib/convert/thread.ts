import { rm } from 'node:fs/promises'
import { abortedBy, MossSpeechError, toMossError } from '../errors.js'
import { startWorker, workerError } from '../worker/start.js'
import type { Job, JobName, Jobs, Message } from './jobs.js'

/**
 * Runs a job in a worker thread, which may block on files. If `signal` aborts, the thread is ended and the unfinished
 * part of `out` is removed.
 */
export async function inThread<N extends JobName>(
  name: N,
  input: Jobs[N]['input'],
  { signal, onProgress }: { signal?: AbortSignal | undefined; onProgress?: (progress: Jobs[N]['progress']) => void },
): Promise<Jobs[N]['output']> {
  if (signal?.aborted) throw abortedBy(signal)
  const worker = startWorker(['convert', 'main.js'], {
    name: 'moss-speech-convert',
    workerData: { name, input } satisfies Job,
  })
  let stop: (() => void) | undefined
  try {
    return await new Promise<Jobs[N]['output']>((resolve, reject) => {
      if (signal) signal.addEventListener('abort', (stop = () => reject(abortedBy(signal))), { once: true })
      worker.on('message', (message: Message) => {
        if ('progress' in message) onProgress?.(message.progress as Jobs[N]['progress'])
        else if ('error' in message) reject(toMossError(Object.assign(new Error(message.error.message), message.error)))
        else resolve(message.output as Jobs[N]['output'])
      })
      worker.on('error', error => reject(workerError(error)))
      worker.on('exit', code => reject(new MossSpeechError('MOSS_INTERNAL', `the conversion thread ended (${code})`)))
    })
  } catch (thrown) {
    await worker.terminate()
    await rm(`${input.out}.part`, { force: true }).catch(() => undefined)
    throw toMossError(thrown)
  } finally {
    if (stop) signal?.removeEventListener('abort', stop)
  }
}
