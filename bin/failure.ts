import { CommanderError } from 'commander'
import { MossSpeechError } from '../lib/index.js'

/** Something about the command line is wrong that commander cannot know. */
export class UsageError extends Error {}

const OK = 0
const FAILED = 1
const USAGE = 2
const INTERRUPTED = 130

/** 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? OK : USAGE
  if (thrown instanceof UsageError) return USAGE
  if (!(thrown instanceof MossSpeechError)) return FAILED
  if (thrown.code === 'MOSS_ABORTED') return INTERRUPTED
  // An option's value is the command line's fault; a sample's is the file's.
  return thrown.code === 'MOSS_INVALID_ARGUMENT' && thrown.details.option !== 'speech' ? USAGE : FAILED
}

/** One line on stderr: `moss-speech: error: … (CODE)`; with MOSS_DEBUG set, the stack too. */
export function report(thrown: unknown): void {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const interrupted = error instanceof MossSpeechError && error.code === 'MOSS_ABORTED'
  const code = error instanceof MossSpeechError && !interrupted ? ` (${error.code})` : ''
  process.stderr.write(interrupted ? 'moss-speech: stopped\n' : `moss-speech: error: ${error.message}${code}\n`)
  if (process.env.MOSS_DEBUG) process.stderr.write(`${error.stack ?? ''}\n`)
}
