import type { TransferListItem, Worker } from 'node:worker_threads'
import { abortedBy, toMossError } from '../errors.js'
import type { Answer, Job, JobName, Jobs } from './jobs.js'
import { startWorker, workerError } from './start.js'

interface Pending {
  resolve: (value: never) => void
  reject: (reason: unknown) => void
}

/**
 * Heap limits for young and old objects, not counting sample buffers. The higher the limits, the later V8 returns
 * memory: with its default limits, reading Qwen3's vocabulary leaves 55 MB more in use. The largest vocabularies (Llama
 * 3's 280,000 merges) take a tenth of this limit.
 */
const LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 1024 }

/**
 * A worker thread for JavaScript that would block the event loop: audio decoders, dictionaries, tokenizers. It starts
 * with the first job, keeps the process alive only while a job runs, and is restarted after a crash.
 */
class Offload {
  #worker: Worker | undefined
  #pending = new Map<number, Pending>()
  #nextId = 0

  /** Whether the thread has been started. */
  get runs(): boolean {
    return this.#worker !== undefined
  }

  /**
   * Runs a job of `jobs.ts`. When `signal` aborts, the promise rejects at once; the thread finishes the job, and its
   * result is ignored.
   *
   * @throws {@link OutOfThreadsError} the system cannot start a thread; the next job tries again
   */
  async run<N extends JobName>(
    name: N,
    input: Jobs[N]['input'],
    options: { transfer?: TransferListItem[]; signal?: AbortSignal | undefined } = {},
  ): Promise<Jobs[N]['output']> {
    const { transfer = [], signal } = options
    if (signal?.aborted) throw abortedBy(signal)
    const id = this.#nextId++
    const worker = (this.#worker ??= this.#start())
    let onAbort: (() => void) | undefined
    try {
      return await new Promise<Jobs[N]['output']>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject })
        worker.ref()
        if (signal) signal.addEventListener('abort', (onAbort = () => reject(abortedBy(signal))), { once: true })
        worker.postMessage({ id, name, input } satisfies Job, transfer)
      })
    } finally {
      if (onAbort) signal?.removeEventListener('abort', onAbort)
    }
  }

  #start(): Worker {
    const worker = startWorker(['worker', 'main.js'], { name: 'moss-speech', resourceLimits: LIMITS })
    worker.on('message', (answer: Answer) => {
      const job = this.#pending.get(answer.id)
      this.#pending.delete(answer.id)
      if (this.#pending.size === 0) worker.unref()
      if (!job) return
      if (answer.error) job.reject(toMossError(Object.assign(new Error(answer.error.message), answer.error)))
      else job.resolve(answer.output as never)
    })
    const fail = (error: Error): void => {
      if (this.#worker === worker) this.#worker = undefined
      const jobs = [...this.#pending.values()]
      this.#pending.clear()
      const reason = workerError(error)
      for (const job of jobs) job.reject(reason)
    }
    worker.on('error', fail)
    worker.on('exit', code => fail(new Error(`exit code ${code}`)))
    worker.unref()
    return worker
  }
}

/** Decodes audio. A separate thread, so that a long file does not delay texts. */
export const audioThread = new Offload()
/** Runs tokenizers and the text front end. */
export const textThread = new Offload()
