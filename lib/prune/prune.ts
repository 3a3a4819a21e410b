import { inThread } from '../convert/thread.js'
import { InvalidArgumentError } from '../errors.js'
import { checkModelOutput } from '../files.js'
import { checkBoolean, checkInteger, checkName, checkOptions, checkSignal, checkText } from '../options.js'
import { PRUNABLE, type HeadAmount, type PrunableComponent } from './heads.js'
import type { Pruned, PruneProgress } from './job.js'

/** Options of {@link prune}. */
export interface PruneOptions {
  /**
   * How many heads to remove from each component: a share, `'25%'` (above 0, below 100), or a whole number above 0. In
   * a language model, whose query heads share keys and values, the number counts key/value heads, each of which is
   * removed with its query heads.
   */
  heads: string | number
  /** `encoder`, `lm`, or both; default: those that the file has. */
  components?: readonly PrunableComponent[]
  /**
   * Paths of recordings (wav, mp3, flac, ogg, opus; for encoders), texts (`.txt`; for language models), and folders of
   * them, on which the contributions of heads are measured. Every other piece of 15 s or 256 ids is held out, to
   * measure the loss of quality. A bundle takes both: it reads texts aloud for its encoder, a line at a time, and
   * answers both for its language model. Default, for bundles such as nano: forty sentences that come with the package.
   */
  calibrate?: string | readonly string[]
  /**
   * Remove the same number from every block, so that llama.cpp can read the file, too; altogether at most `heads`.
   * Default: false.
   */
  even?: boolean
  /** The number of threads, 1–256; default: half of the logical CPUs, at most 8. */
  threads?: number
  /** Stops the work and removes the unfinished file. */
  signal?: AbortSignal
  onProgress?: (progress: PruneProgress) => void
}

const LONGEST_PATH = 32_768
const MOST_HEADS = 1 << 20

/**
 * Copies a model without the attention heads that contribute least, and measures the loss of quality (docs/pruning.md).
 * Everything else is unchanged, and the file is loaded and run as before. Every block keeps at least one head.
 *
 * @param source - a GGUF file: a bundle, an imported encoder or language model
 * @param out - another file, with a name that ends in `.gguf`; it gets this name only when it is complete
 * @throws {@link InvalidArgumentError} so many heads cannot be removed, or the calibration set has nothing for the
 * model; {@link UnsupportedError} there are no heads to remove; {@link ModelNotFoundError}; {@link ModelFormatError};
 * {@link FileError}; {@link AudioFormatError}; {@link OutOfMemoryError}; {@link AbortedError}
 */
export async function prune(source: string, out: string, options: PruneOptions): Promise<Pruned> {
  const o = checkOptions('options', options, [
    'heads', 'components', 'calibrate', 'even', 'threads', 'signal', 'onProgress',
  ]) // prettier-ignore
  checkText('source', source, LONGEST_PATH)
  checkText('out', out, LONGEST_PATH)
  const signal = checkSignal(o.signal)
  const input = {
    path: source,
    out,
    amount: checkAmount(o.heads),
    components: o.components && checkComponents(o.components),
    calibrate: o.calibrate === undefined ? undefined : checkPaths(o.calibrate),
    even: checkBoolean('even', o.even) ?? false,
    threads: checkInteger('threads', o.threads, 1, 256),
  }
  await checkModelOutput(source, out)
  return inThread('prune', input, { signal, ...(o.onProgress && { onProgress: o.onProgress }) })
}

function checkAmount(heads: unknown): HeadAmount {
  if (typeof heads === 'number') return { count: checkInteger('heads', heads, 1, MOST_HEADS) ?? 1 }
  const percent = typeof heads === 'string' ? /^(\d+(?:\.\d+)?)\s*%$/.exec(heads)?.[1] : undefined
  const share = Number(percent) / 100
  if (share > 0 && share < 1) return { share }
  throw new InvalidArgumentError(
    `heads must be a share such as '25%', above 0 and below 100, or a whole number above 0, not ${JSON.stringify(heads)}`,
    { option: 'heads', found: String(heads) },
  )
}

function checkComponents(components: unknown): PrunableComponent[] {
  const all: readonly unknown[] = Array.isArray(components) ? components : [components]
  const indices = new Set(all.map(component => checkName('components', component, PRUNABLE)))
  const chosen = PRUNABLE.filter((_, i) => indices.has(i))
  if (chosen.length === 0) throw new InvalidArgumentError('components is empty', { option: 'components' })
  return chosen
}

function checkPaths(paths: unknown): string[] {
  const all: readonly unknown[] = Array.isArray(paths) ? paths : [paths]
  if (all.length === 0) throw new InvalidArgumentError('calibrate is empty', { option: 'calibrate' })
  return all.map(path => checkText('calibrate', path, LONGEST_PATH))
}
