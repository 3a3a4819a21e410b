import { CommanderError } from 'commander'
import { MossSpeechError } from '../lib/index.js'
import { ReaderGone } from './stdout.js'

/** Wrong usage that commander cannot detect. */
export class UsageError extends Error {}

const OK = 0
const FAILED = 1
const USAGE = 2
const INTERRUPTED = 130

/** Exit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted. */
export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? OK : USAGE
  if (isReaderGone(thrown)) return OK
  if (thrown instanceof UsageError) return USAGE
  if (!(thrown instanceof MossSpeechError)) return FAILED
  if (isInterrupted(thrown)) return INTERRUPTED
  // An invalid option is wrong usage. Invalid samples, documents or lexicons are failures, because they come from
  // files.
  return thrown.code === 'MOSS_INVALID_ARGUMENT' && !isOfContent(thrown.details.option) ? USAGE : FAILED
}

/** Whether the command was stopped by Ctrl-C. */
export function isInterrupted(thrown: unknown): boolean {
  return thrown instanceof MossSpeechError && thrown.code === 'MOSS_ABORTED'
}

/** Whether the reader of standard output, or of the pipe that `-o` names, has closed it. */
export function isReaderGone(thrown: unknown): boolean {
  return thrown instanceof ReaderGone || (thrown instanceof MossSpeechError && thrown.details.code === 'EPIPE')
}

/** One line on stderr: `moss-speech: error: … (CODE)`; with MOSS_DEBUG set, the stack too. */
export function report(thrown: unknown): void {
  if (isReaderGone(thrown)) return
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const { code, message } = errorJson(error)
  const line = isInterrupted(error) ? 'stopped' : `error: ${message}${code ? ` (${code})` : ''}`
  process.stderr.write(`moss-speech: ${line}\n`)
  if (process.env.MOSS_DEBUG) process.stderr.write(`${error.stack ?? ''}\n`)
}

/** An error as `--json` prints it. */
export function errorJson(thrown: unknown): { code?: string; message: string } {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  return { ...(error instanceof MossSpeechError && { code: error.code }), message: error.message }
}

/** Options of the library whose value is the content of a file or of standard input. */
function isOfContent(option: unknown): boolean {
  return option === 'speech' || option === 'ssml' || option === 'pronunciations'
}

/** The codes of errors that are about an input. */
const OF_INPUT = ['MOSS_AUDIO_FORMAT', 'MOSS_AUDIO_LENGTH', 'MOSS_PROMPT_TOO_LONG', 'MOSS_INVALID_ARGUMENT']

/** Runs work on one of the inputs, and adds its name to errors about it. */
export async function naming<T>(input: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    const name = input === '-' ? 'standard input' : input
    if (!(thrown instanceof MossSpeechError) || !OF_INPUT.includes(thrown.code)) throw thrown
    const { code, message, details } = thrown
    if (message.includes(name) || (code === 'MOSS_INVALID_ARGUMENT' && details.option !== 'speech')) throw thrown
    throw reworded(thrown, `${name}: ${message}`)
  }
}

/** Runs work on an SSML document, and adds the name of its file to errors about it; '' is the command line. */
export async function namingDocument<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (!(thrown instanceof MossSpeechError) || name === '') throw thrown
    const { message, details } = thrown
    if (details.line !== undefined)
      throw reworded(
        thrown,
        message.replace(/^ssml\b/, () => name),
      )
    throw details.option === 'ssml' ? reworded(thrown, `${name}: ${message}`) : thrown
  }
}

/** Runs work with the options of flags. An error about an option names the flag instead. */
export async function speakingOfFlags<T>(flags: object, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (!(thrown instanceof MossSpeechError)) throw thrown
    const { code, message, details } = thrown
    const { option } = details
    if (code !== 'MOSS_INVALID_ARGUMENT' || typeof option !== 'string') throw thrown
    const { pronunciations } = flags as { pronunciations?: string }
    if (option === 'pronunciations' && pronunciations !== undefined && !message.startsWith(pronunciations))
      throw reworded(thrown, `${pronunciations}: ${message.replace(/^pronunciations:? /, '')}`)
    const flag = flagOf(option, flags)
    throw flag === undefined ? thrown : reworded(thrown, message.replace(new RegExp(`\\b${option}\\b`), flag))
  }
}

/** The flag with which an option of the library was given; undefined if it was not given. */
function flagOf(option: string, flags: object): string | undefined {
  const was = (name: string): boolean => (flags as Record<string, unknown>)[name] !== undefined
  if (option === 'out') return '-o'
  if (isOfContent(option)) return undefined
  const name = option === 'voice' && was('speaker') ? 'speaker' : option
  return was(name) ? `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}` : undefined
}

function reworded(error: MossSpeechError, message: string): MossSpeechError {
  return new MossSpeechError(error.code, message, error.details, { cause: error })
}
