import { spawn } from 'node:child_process'
import { UnsupportedError } from '../errors.js'

/*
 * Phonemes by espeak-ng, if the user has installed it. espeak-ng (GPL-3) is run as a separate program; it is not part
 * of this package and never loaded into its process.
 */

const INSTALL =
  'install espeak-ng (Debian, Ubuntu: apt install espeak-ng; Fedora: dnf install espeak-ng; macOS: brew install espeak-ng; Windows: the ' +
  'installer of its release page) so that it is on the PATH, or name the program in MOSS_SPEECH_ESPEAK'

const LONGEST_MS = 30_000

/** The program: MOSS_SPEECH_ESPEAK, or `espeak-ng` on the PATH. */
const program = (): string => {
  const named = process.env.MOSS_SPEECH_ESPEAK
  return named === undefined || named === '' ? 'espeak-ng' : named
}

/** The error for a missing espeak-ng, which says how to install it. `why` says what needs it. */
export function espeakMissing(why: string, cause?: unknown): UnsupportedError {
  return new UnsupportedError(`${why}; ${INSTALL}`, { component: 'espeak-ng', program: program() }, { cause })
}

function failed(reason: string, cause?: unknown): UnsupportedError {
  return new UnsupportedError(`espeak-ng failed: ${reason}`, { component: 'espeak-ng' }, { cause })
}

function run(args: string[], input: string, why: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // Not spawn's own timeout option, whose timer keeps running if the program does not exist.
    const child = spawn(program(), args, { stdio: 'pipe', signal: AbortSignal.timeout(LONGEST_MS), windowsHide: true })
    let [output, complaint] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
    child.on('error', cause => {
      reject(
        cause.name === 'AbortError' ? failed(`no answer in ${LONGEST_MS / 1000} s`, cause) : espeakMissing(why, cause),
      )
    })
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output)
      else reject(failed(complaint.trim().split('\n')[0] ?? signal ?? `exit code ${code}`))
    })
    child.stdin.on('error', () => undefined) // it ended before it read its input, which `close` reports
    child.stdin.end(input)
  })
}

/**
 * The IPA of a text without punctuation, words separated by spaces.
 *
 * @param voice - espeak-ng's name of the language
 * @throws {@link UnsupportedError} espeak-ng is missing (says how to install it), or does not know the language
 */
export async function espeakPhonemes(voice: string, text: string, why: string): Promise<string> {
  const plain = text.replace(/\s+/g, ' ').trim()
  if (plain === '') return ''
  const output = await run(['--ipa', '-q', '-b', '1', '-v', voice, '--stdin'], `${plain}\n`, why)
  return output
    .replace(/\([^)\s]+\)/g, '') // marks of a switch to another language
    .replace(/[_\u200d]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .normalize('NFD')
}
