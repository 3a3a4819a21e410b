import { fstatSync, statSync, type BigIntStats } from 'node:fs'
import { extname } from 'node:path'
import { Option, type Command } from 'commander'
import { openSink } from '../lib/audio/sink.js'
import { SampleWriter, type SampleFormat } from '../lib/audio/wav-writer.js'
import { untilAborted } from '../lib/engine/streaming.js'
import { isInterrupted, UsageError } from './failure.js'
import { warn } from './output.js'
import { StdoutSink } from './stdout.js'

/** Options of every command that writes speech to a file. */
export interface OutputFlags {
  output?: string
  format?: SampleFormat
  json?: boolean
}

/** Where speech is written, and in which format. */
export interface Target {
  /** `-` is standard output. */
  readonly path: string
  readonly format: SampleFormat
}

/** Formats by the ending of the file name. */
const FORMATS: Record<string, SampleFormat | undefined> = {
  '': 'wav', '.wav': 'wav', '.wave': 'wav', '.pcm': 'pcm_s16le', '.raw': 'pcm_s16le',
} // prettier-ignore
const STDOUT = ['-', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1']

/** `-o` and `--format`. */
export function addOutputFlags(command: Command, whatGoes: string): Command {
  const toPath = (path: string): string => (STDOUT.includes(path) ? '-' : path)
  const output = new Option('-o, --output <file>', `where ${whatGoes}: a wav file; - is standard output`)
  return command
    .addOption(output.argParser(toPath))
    .addOption(
      new Option(
        '--format <name>',
        'wav, or 16-bit samples without a header (default: by the name; .pcm and .raw have none)',
      ).choices(['wav', 'pcm_s16le']),
    )
}

/**
 * The target of `-o`, checked before anything is computed.
 *
 * @param inputs - the paths that are read; `-` is standard input
 * @throws {@link UsageError} the ending is that of an unsupported format, or the file is one of the inputs
 */
export function targetOf(flags: OutputFlags, inputs: readonly (string | undefined)[]): Target | undefined {
  const { output: path, format, json } = flags
  if (path === undefined) {
    if (format === undefined) return undefined
    throw new UsageError('--format is the format of the file that -o names: -o is missing')
  }
  if (path === '') throw new UsageError('-o needs the name of a file; - is standard output')
  if (path === '-') {
    if (json) throw new UsageError('--json and -o - would both write to standard output')
    if (process.stdout.isTTY)
      throw new UsageError('-o - writes audio to standard output, but that is the terminal; pipe it or name a file')
  }
  const found = statOf(path === '-' ? 1 : path)
  const input = inputs.find(name => name !== undefined && isSame(found, statOf(name === '-' ? 0 : name)))
  if (input !== undefined) {
    const [from, to] = [input === '-' ? 'standard input' : input, path === '-' ? 'standard output' : `-o ${path}`]
    throw new UsageError(`${to} and ${from} are the same file, which would be lost; take another name`)
  }
  const named = path === '-' || (found && !found.isFile()) ? undefined : formatOf(path)
  if (format && named && format !== named && extname(path) !== '')
    throw new UsageError(`--format ${format} and the name ${path} say different things`)
  return { path, format: format ?? named ?? 'wav' }
}

function formatOf(path: string): SampleFormat {
  const format = FORMATS[extname(path).toLowerCase()]
  if (format) return format
  throw new UsageError(
    `-o ${path}: only wav (.wav) and 16-bit samples (.pcm, .raw) are written; for another format: -o - | ffmpeg -i - ${path}`,
  )
}

function statOf(what: string | number): BigIntStats | undefined {
  try {
    return typeof what === 'number' ? fstatSync(what, { bigint: true }) : statSync(what, { bigint: true })
  } catch {
    return undefined
  }
}

function isSame(a: BigIntStats | undefined, b: BigIntStats | undefined): boolean {
  return a?.isFile() === true && b?.isFile() === true && a.dev === b.dev && a.ino === b.ino
}

/** Writes speech to a target, which is opened with the first samples. */
export class SpeechOutput {
  #writer: SampleWriter | undefined
  #streams = false
  #last: Promise<void> = Promise.resolve()

  constructor(
    private readonly target: Target,
    private readonly sampleRate: number,
    private readonly signal: AbortSignal,
  ) {}

  get seconds(): number {
    return this.#writer?.seconds ?? 0
  }

  /** Resolves when the samples have been accepted; rejects if Ctrl-C comes first. */
  async write(samples: Float32Array): Promise<void> {
    const writer = (this.#writer ??= await this.#open())
    this.#last = writer.write(samples)
    await untilAborted(this.#last, this.signal)
  }

  async #open(): Promise<SampleWriter> {
    const { path, format } = this.target
    const sink = path === '-' ? new StdoutSink() : await openSink(path, this.signal)
    this.#streams = sink.streams
    return new SampleWriter(sink, this.sampleRate, format)
  }

  /** Completes the output when the command has succeeded. A file gets its name, even if it has no samples. */
  async close(): Promise<void> {
    this.#writer ??= await this.#open()
    await this.#writer.close()
  }

  /**
   * Ends the output when the command has failed. An older file is kept; the incomplete new one is saved beside it.
   * Ctrl-C is not a failure: the speech until then becomes the file.
   */
  async abandon(thrown: unknown): Promise<void> {
    if (this.#streams) return this.#writer?.discard()
    await this.#last.catch(() => undefined)
    if (this.seconds === 0) return this.#writer?.discard()
    if (isInterrupted(thrown)) return void (await this.#writer?.close())
    const { path } = this.target
    const partial = `${path.slice(0, path.length - extname(path).length)}.partial${extname(path)}`
    const kept = await this.#writer?.close(partial).catch(() => false)
    if (kept) warn(`what was said until then (${this.seconds.toFixed(2)} s) is in ${partial}`)
  }
}

/** Runs `work` with an output for speech, and completes it afterwards. */
export async function withSpeechOutput<T>(
  target: Target,
  sampleRate: number,
  signal: AbortSignal,
  work: (output: SpeechOutput) => Promise<T>,
): Promise<T> {
  const output = new SpeechOutput(target, sampleRate, signal)
  try {
    const result = await work(output)
    await output.close()
    return result
  } catch (thrown) {
    await output.abandon(thrown)
    throw thrown
  }
}

/** {@link withSpeechOutput} if there is a target. */
export function withOptionalSpeechOutput<T>(
  target: Target | undefined,
  sampleRate: number,
  signal: AbortSignal,
  work: (output: SpeechOutput | undefined) => Promise<T>,
): Promise<T> {
  return target ? withSpeechOutput(target, sampleRate, signal, work) : work(undefined)
}
