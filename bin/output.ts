import { concat } from '../lib/audio/concat.js'
import { encodeWav, WavWriter } from '../lib/index.js'
import { UsageError } from './failure.js'
import { progress } from './progress.js'

/** Where the speech goes: a file, which grows as the speech comes, or standard output, at the end and with its right length. */
export interface SpeechOutput {
  write(samples: Float32Array): Promise<void>
  /** Makes a whole wav of what there is; where there is nothing, only if the command has succeeded. */
  close(succeeded: boolean): Promise<void>
  readonly seconds: number
}

/** Opened with the first samples: a command that fails before leaves an older file as it was. */
class FileWav implements SpeechOutput {
  #writer: WavWriter | undefined
  constructor(
    private readonly path: string,
    private readonly sampleRate: number,
  ) {}

  get seconds(): number {
    return this.#writer?.seconds ?? 0
  }

  async write(samples: Float32Array): Promise<void> {
    this.#writer ??= await WavWriter.open(this.path, { sampleRate: this.sampleRate })
    await this.#writer.write(samples)
  }

  async close(succeeded: boolean): Promise<void> {
    if (succeeded && !this.#writer) await this.write(new Float32Array(0))
    await this.#writer?.close()
  }
}

class StdoutWav implements SpeechOutput {
  #chunks: Float32Array[] = []
  #length = 0
  constructor(private readonly sampleRate: number) {}

  get seconds(): number {
    return this.#length / this.sampleRate
  }

  write(samples: Float32Array): Promise<void> {
    this.#chunks.push(samples)
    this.#length += samples.length
    return Promise.resolve()
  }

  async close(succeeded: boolean): Promise<void> {
    if (!succeeded && this.#length === 0) return
    const all = concat(this.#chunks)
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(encodeWav(all, { sampleRate: this.sampleRate }), error =>
        error ? reject(error) : resolve(),
      )
    })
  }
}

/** Opens `-o` (a path, or `-` for standard output) for the command's time. */
export async function withOutput<T>(
  path: string,
  sampleRate: number,
  work: (output: SpeechOutput) => Promise<T>,
): Promise<T> {
  if (path === '-' && process.stdout.isTTY) {
    throw new UsageError('-o - writes a wav file to standard output, but that is the terminal; pipe it or name a file')
  }
  const output = path === '-' ? new StdoutWav(sampleRate) : new FileWav(path, sampleRate)
  let result: T
  try {
    result = await work(output)
  } catch (thrown) {
    await output.close(false)
    throw thrown
  }
  await output.close(true)
  return result
}

/** {@link withOutput} where there is an `-o`. */
export function withOptionalOutput<T>(
  path: string | undefined,
  sampleRate: number,
  work: (output: SpeechOutput | undefined) => Promise<T>,
): Promise<T> {
  return path === undefined ? work(undefined) : withOutput(path, sampleRate, work)
}

/** `--json` and a wav cannot share standard output. */
export function refuseSharedStdout(flags: { output?: string; json?: boolean }): void {
  if (flags.output === '-' && flags.json) throw new UsageError('--json and -o - would both write to standard output')
}

/** A line for people: on stdout, or on stderr where stdout carries the wav. */
export function say(line: string, flags: { output?: string }): void {
  stdoutOf(flags).write(`${line}\n`)
}

const stdoutOf = (flags: { output?: string }): NodeJS.WriteStream =>
  flags.output === '-' ? process.stderr : process.stdout

/** A line for people that grows: where {@link say} writes. */
export class Line {
  #begun = false
  constructor(private readonly flags: { output?: string }) {}

  write(text: string): void {
    if (!this.#begun) progress()
    this.#begun = true
    stdoutOf(this.flags).write(text)
  }

  end(): void {
    if (this.#begun) stdoutOf(this.flags).write('\n')
  }
}

/** The one object of `--json`. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** `12.3 MB`, `4.56 GB`. */
export function bytesText(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`
}
