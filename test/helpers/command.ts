import { spawn, type ChildProcess } from 'node:child_process'
import { CLI, root } from './model.js'

export interface CommandResult {
  code: number | null
  stdout: string
  /** Standard output as bytes. */
  bytes: Buffer
  stderr: string
}

export interface CommandOptions {
  /** The content of its standard input; default: empty. */
  input?: Uint8Array
  /** The descriptor of a file for its standard input. */
  stdin?: number
  /** The descriptor of a file for its standard output; default: the output is returned. */
  stdout?: number
  env?: Record<string, string>
  /** Called when the command has been started. */
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
    child.stdin?.on('error', () => undefined) // the command may end before it has read everything
    child.stdin?.end(input)
    during?.(child)
  })
}
