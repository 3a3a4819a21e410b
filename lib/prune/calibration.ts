import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import { decodeAudio } from '../audio/decode.js'
import { SAMPLE_RATE } from '../audio/limits.js'
import { fileError } from '../files.js'
import { InvalidArgumentError } from '../errors.js'
import { SENTENCES } from './sentences.js'

/*
 * The calibration set on which a model is measured: recordings and texts, divided into pieces. Every other piece is
 * held out.
 */

/** One recording, or one text. */
export interface CalibrationSource {
  readonly kind: 'audio' | 'text'
  /** The name for messages. */
  readonly name: string
  /** Pieces of up to 15 s (samples, 16 kHz), or the whole text. Blocks: to be called in the conversion thread. */
  read(): Promise<Float32Array[] | string>
}

const AUDIO = new Set(['.wav', '.mp3', '.flac', '.ogg', '.oga', '.opus'])
const TEXT = new Set(['.txt'])
/** The longest piece, because memory grows with its length. Contributions of heads can be measured on less. */
const PIECE_SECONDS = 15
/**
 * The rest of a recording after its whole pieces is used if it is at least this long, which is enough for every
 * encoder.
 */
const SHORTEST_REST = 0.5
const LONGEST_SECONDS = 6 * 3600
const LARGEST_TEXT = 4 << 20

/** The sentences that come with the package. */
export const builtIn = (): CalibrationSource[] =>
  SENTENCES.map(text => ({ kind: 'text', name: text, read: () => Promise.resolve(text) }))

/**
 * The recordings (wav, mp3, flac, ogg, opus) and texts (txt) at the paths. Folders are searched recursively, in the
 * order of names.
 *
 * @throws {@link FileError}; {@link InvalidArgumentError} a folder has none
 */
export function sourcesAt(paths: readonly string[]): CalibrationSource[] {
  return paths.flatMap(path => {
    const found = isFolder(path) ? filesIn(path) : [path]
    if (found.length > 0) return found.map(sourceAt)
    throw new InvalidArgumentError(
      `calibrate: ${path} holds no recording (${[...AUDIO].join(', ')}) and no text (${[...TEXT].join(', ')})`,
      { option: 'calibrate', path },
    )
  })
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch (cause) {
    throw fileError(path, 'read', cause)
  }
}

function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  return names.filter(name => AUDIO.has(extension(name)) || TEXT.has(extension(name))).map(name => join(folder, name))
}

const extension = (path: string): string => extname(path).toLowerCase()

function sourceAt(path: string): CalibrationSource {
  const name = basename(path)
  if (TEXT.has(extension(path))) return { kind: 'text', name, read: () => Promise.resolve(readText(path)) }
  return { kind: 'audio', name, read: async () => pieces((await decodeAudio({ path }, LONGEST_SECONDS)).samples) }
}

function readText(path: string): string {
  try {
    const { size } = statSync(path)
    if (size > LARGEST_TEXT) {
      throw new InvalidArgumentError(`calibrate: ${path} has ${size} bytes; at most ${LARGEST_TEXT} are read`, {
        option: 'calibrate',
        path,
      })
    }
    return readFileSync(path, 'utf8')
  } catch (thrown) {
    throw thrown instanceof InvalidArgumentError ? thrown : fileError(path, 'read', thrown)
  }
}

function pieces(samples: Float32Array): Float32Array[] {
  const length = PIECE_SECONDS * SAMPLE_RATE
  const all = Array.from({ length: Math.ceil(samples.length / length) }, (_, i) =>
    samples.slice(i * length, (i + 1) * length),
  )
  const last = all.at(-1)
  if (all.length > 1 && last && last.length < SHORTEST_REST * SAMPLE_RATE) all.pop()
  return all
}
