import { Worker, type WorkerOptions } from 'node:worker_threads'
import { MossSpeechError, OutOfMemoryError, OutOfThreadsError } from '../errors.js'
import { scriptPath } from '../package-root.js'

/**
 * Starts a worker thread of this package.
 *
 * @param script - its path relative to lib
 * @throws {@link OutOfThreadsError} the system cannot start a thread
 */
export function startWorker(script: readonly string[], options: WorkerOptions): Worker {
  try {
    // The thread does not inherit flags such as a loader or inspector of the main thread.
    return new Worker(scriptPath(...script), { execArgv: [], ...options })
  } catch (thrown) {
    throw workerError(thrown as Error)
  }
}

/** Converts the error of a thread that could not start or has crashed. */
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
  return new MossSpeechError('MOSS_INTERNAL', `the worker thread crashed: ${error.message}`, {}, { cause: error })
}
