import { loadModel, type Model, type Session } from '../lib/index.js'
import type { ModelFlags } from './options.js'
import { progress } from './progress.js'

/** What a command works with. */
export interface Run {
  model: Model
  session: Session
  /** Aborts at Ctrl-C. */
  signal: AbortSignal
}

/** Loads the model, runs the command, and frees everything, also when Ctrl-C stops it. A second Ctrl-C ends the process at once. */
export async function withSession(
  flags: ModelFlags & { seed?: number },
  work: (run: Run) => Promise<void>,
): Promise<void> {
  const controller = new AbortController()
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort()
  }
  process.on('SIGINT', interrupt)
  try {
    progress('loading the model')
    const { model: path, threads, seed } = flags
    const model = await loadModel(path, threads === undefined ? {} : { threads })
    try {
      const session = model.createSession(seed === undefined ? {} : { seed })
      await work({ model, session, signal: controller.signal })
    } finally {
      await model.dispose()
    }
  } finally {
    progress()
    process.off('SIGINT', interrupt)
  }
}
