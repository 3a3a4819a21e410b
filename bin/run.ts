import { loadModel, type Model, type Session } from '../lib/index.js'
import { speakingOfFlags } from './failure.js'
import { given, sourceOf, type LmFlags } from './options.js'
import { progress } from './progress.js'

/** What a command gets to work with. */
export interface Run {
  model: Model
  session: Session
  /** Aborts at Ctrl-C. */
  signal: AbortSignal
}

/** Ctrl-C, and the signal that stops services and containers. */
const STOPS = ['SIGINT', 'SIGTERM'] as const

/**
 * Runs a command whose `signal` aborts at Ctrl-C. A second Ctrl-C ends the process at once. Errors about options name
 * the flags.
 */
export async function interruptible<T>(flags: object, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort()
  }
  for (const name of STOPS) process.on(name, interrupt)
  try {
    return await speakingOfFlags(flags, () => work(controller.signal))
  } finally {
    progress()
    for (const name of STOPS) process.off(name, interrupt)
  }
}

/** Loads the model, runs the command, and frees everything, also when Ctrl-C stops it. */
export async function withSession(
  flags: LmFlags & { seed?: number },
  work: (run: Run) => Promise<void>,
): Promise<void> {
  await interruptible(flags, async signal => {
    progress('loading the model')
    const { threads, contextLength, seed, system, thinking } = flags
    const model = await loadModel(sourceOf(flags), given({ threads, contextLength }))
    try {
      const session = model.createSession(given({ seed, system, thinking }))
      await work({ model, session, signal })
    } finally {
      await model.dispose()
    }
  })
}
