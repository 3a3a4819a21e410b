import { resolve } from 'node:path'

export const root = resolve(__dirname, '..', '..')
/** A complete bundle with random weights, of a few hundred kilobytes. */
export const TINY = resolve(root, 'test', 'golden', 'tiny.gguf')
/** The command that `npm run build:ts` has compiled. */
export const CLI = resolve(root, 'dist', 'bin', 'moss-speech.js')

/** Matches an error with this code. */
export function coded(code: string): { code: string } {
  return { code }
}
