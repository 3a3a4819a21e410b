import { isReaderGone } from './failure.js'
import { progress } from './progress.js'
import { print } from './stdout.js'

/** The destination of a command's audio: a path, or `-` for standard output. */
interface Flags {
  output?: string
}

/** Prints a line for people: on stdout, or on stderr if audio goes to stdout. */
export async function say(line: string, flags: Flags): Promise<void> {
  await tell(`${line}\n`, flags)
}

/** If the audio goes to a file, a closed reader of the text is no reason to stop. */
async function tell(text: string, { output }: Flags): Promise<void> {
  if (output === '-') process.stderr.write(text)
  else
    await print(text).catch((thrown: unknown) => {
      if (output === undefined || !isReaderGone(thrown)) throw thrown
    })
}

/** A line for people that is printed piece by piece, where {@link say} prints. */
export class Line {
  #begun = false
  constructor(private readonly flags: Flags) {}

  async write(text: string): Promise<void> {
    if (!this.#begun) progress()
    this.#begun = true
    await tell(text, this.flags)
  }

  async end(): Promise<void> {
    if (this.#begun) await tell('\n', this.flags)
  }
}

/** Prints a warning on stderr. */
export function warn(text: string): void {
  progress()
  process.stderr.write(`moss-speech: warning: ${text}\n`)
}

/** Prints the object of `--json`. */
export async function printJson(value: unknown): Promise<void> {
  await print(`${JSON.stringify(value, null, 2)}\n`)
}

/** `12.3 MB`, `4.56 GB`. */
export function bytesText(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`
}
