import { spawn, type ChildProcess } from 'node:child_process'
import { CLI, root } from './model.js'

export interface CommandResult {
  code: number | null
  stdout: string
  /** The same as it came. */
  bytes: Buffer
  stderr: string
}

export interface CommandOptions {
  /** What its standard input gives; default: nothing. */
  input?: Uint8Array
  /** The descriptor of a file for its standard input. */
  stdin?: number
  /** The descriptor of a file for its standard output; default: what it prints is returned. */
  stdout?: number
  env?: Record<string, string>
  /** While it runs. */
  during?: (child: ChildProcess) => void
}

/** Runs the command to its end. */
export function runCommand(args: string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { input, stdin, stdout, env, during } = options
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: [stdin ?? (input ? 'pipe' : 'ignore'), stdout ?? 'pipe', 'pipe'],
    })
    const printed: Buffer[] = []
    let stderr = ''
    child.stdout?.on('data', (chunk: Buffer) => printed.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('error', reject)
    child.on('close', code => {
      const bytes = Buffer.concat(printed)
      resolve({ code, stdout: bytes.toString(), bytes, stderr })
    })
    child.stdin?.on('error', () => undefined) // it may end before it has read everything
    child.stdin?.end(input)
    during?.(child)
  })
}
