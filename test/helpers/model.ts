import { resolve } from 'node:path'

export const root = resolve(__dirname, '..', '..')
/** A whole bundle of random weights, a few hundred kilobytes. */
export const TINY = resolve(root, 'test', 'golden', 'tiny.gguf')
/** The command, as `npm run build:ts` leaves it. */
export const CLI = resolve(root, 'dist', 'bin', 'moss-speech.js')

/** Fails with a typed error of this code. */
export function coded(code: string): { code: string } {
  return { code }
}
