import { Worker, type WorkerOptions } from 'node:worker_threads'
import { MossSpeechError, OutOfMemoryError, OutOfThreadsError } from '../errors.js'
import { scriptPath } from '../package-root.js'

/**
 * Starts a thread of this package.
 *
 * @param script - its path below lib
 * @throws {@link OutOfThreadsError} the system gives none
 */
export function startWorker(script: readonly string[], options: WorkerOptions): Worker {
  try {
    // No inherited flags: a loader or inspector of the main thread is not for this one.
    return new Worker(scriptPath(...script), { execArgv: [], ...options })
  } catch (thrown) {
    throw workerError(thrown as Error)
  }
}

/** Why a thread could not start, or died. */
export function workerError(error: Error & { code?: unknown }): MossSpeechError {
  if (error instanceof MossSpeechError) return error
  if (error.code === 'ERR_WORKER_INIT_FAILED' && error.message.includes('EAGAIN')) {
    return new OutOfThreadsError(
      "the system gives this process no more threads: raise its limit (ulimit -u, a container's pids limit)",
      {},
      { cause: error },
    )
  }
  if (error.code === 'ERR_WORKER_OUT_OF_MEMORY')
    return new OutOfMemoryError('the worker thread had too little memory', {}, { cause: error })
  return new MossSpeechError('MOSS_INTERNAL', `the worker thread died: ${error.message}`, {}, { cause: error })
}
