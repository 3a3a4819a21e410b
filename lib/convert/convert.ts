import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidArgumentError } from '../errors.js'
import { checkModelOutput } from '../files.js'
import { cachedSnapshot, checkRepo, isSafePath } from '../hub/cache.js'
import { pull, type PullProgress } from '../hub/pull.js'
import { checkName, checkOptions, checkSignal, checkText } from '../options.js'
import type { Converted } from './index.js'
import type { TensorProgress } from './jobs.js'
import { inThread } from './thread.js'
import type { Quantized } from './quantize.js'
import { TENSOR_TYPES, WEIGHT_TYPES, type TensorType, type WeightType } from './weight-types.js'

/** Options of {@link convert}. */
export interface ConvertFileOptions {
  /**
   * The type of matrices: `q8_0`, `f16`, `bf16` or `f32`. Convolutions become F16 (BF16 or F32 if that is the type),
   * small tables F32. Default: `q8_0`.
   */
  type?: WeightType
  /** Stops the work and removes the unfinished file. */
  signal?: AbortSignal
  onProgress?: (progress: ConvertProgress) => void
}

/** `pull` if a repository has to be downloaded first, then `convert`. */
export type ConvertProgress = ({ stage: 'pull' } & PullProgress) | ({ stage: 'convert' } & TensorProgress)

const LONGEST_PATH = 32_768

/**
 * Converts a public checkpoint to a GGUF file. docs/converting.md lists the supported families.
 *
 * @param source - a file, the folder of a checkpoint, or `hf:owner/repo[@revision][/file or folder]`, which is pulled
 * if it is not in the cache yet
 * @param out - the GGUF file, with a name that ends in `.gguf` and is not that of a source file; it gets this name only
 * when it is complete
 * @throws {@link UnsupportedError} the family, or a variant of it, is not supported; {@link ModelFormatError} the
 * checkpoint is damaged; {@link FileError} the disk is full …; {@link DownloadError}; {@link AbortedError}; {@link
 * InvalidArgumentError}
 */
export async function convert(source: string, out: string, options: ConvertFileOptions = {}): Promise<Converted> {
  checkOptions('options', options, ['type', 'signal', 'onProgress'])
  checkText('source', source, LONGEST_PATH)
  checkText('out', out, LONGEST_PATH)
  checkName('type', options.type, WEIGHT_TYPES)
  const signal = checkSignal(options.signal)
  const { type = 'q8_0', onProgress } = options
  const path = source.startsWith('hf:') ? await fromHub(source, signal, onProgress) : source
  await checkModelOutput(path, out)
  return inThread(
    'convert',
    { path, out, type },
    { signal, onProgress: progress => onProgress?.({ stage: 'convert', ...progress }) },
  )
}

/** The path in the cache for a source `hf:…`. */
async function fromHub(
  source: string,
  signal: AbortSignal | undefined,
  onProgress: ConvertFileOptions['onProgress'],
): Promise<string> {
  const [, repo = '', given = 'main', inside = ''] =
    /^hf:([^/@]+\/[^/@]+)(?:@([^/]+))?(?:\/(.+?)\/?)?$/.exec(source) ?? []
  if (repo === '' || (inside !== '' && !isSafePath(inside))) {
    throw new InvalidArgumentError(`${source} is not hf:owner/repo[@revision][/file or folder]`, { option: 'source' })
  }
  const revision = given.replaceAll('%2F', '/') // refs%2Fpr%2F1
  checkRepo({ repo, revision })
  const cached = cachedSnapshot({ repo, revision })
  if (cached !== undefined && isWhole(join(cached, inside))) return join(cached, inside)
  const { folder } = await pull(repo, {
    revision,
    // A Piper voice is a file with a `.json` of the same name.
    ...(inside !== '' && { files: inside.endsWith('.onnx') ? [`${inside}*`] : [inside] }),
    ...(signal && { signal }),
    onProgress: progress => onProgress?.({ stage: 'pull', ...progress }),
  })
  return join(folder, inside)
}

/** Whether the weights have been downloaded: an earlier pull may have been for other files, or have been stopped. */
function isWhole(path: string): boolean {
  if (!existsSync(path)) return false
  if (/\.(safetensors|gguf)$/.test(path)) return true
  if (path.endsWith('.onnx')) return existsSync(`${path}.json`)
  const names = readdirSync(path)
  const index = 'model.safetensors.index.json'
  if (!names.includes(index)) return names.some(name => /\.(safetensors|onnx|gguf)$/.test(name))
  try {
    const { weight_map: map } = JSON.parse(readFileSync(join(path, index), 'utf8')) as { weight_map: object }
    return Object.values(map).every(name => names.includes(String(name)))
  } catch {
    return false // it is pulled again; if it is still incomplete then, the conversion fails
  }
}

/** Options of {@link quantize}. At least one of `type` and `types` is needed. */
export interface QuantizeOptions {
  /** `f32`, `f16`, `bf16`, `q8_0`, `q4_0`, `q4_1`, `q5_0`, `q5_1`, or a K-quant, `q2_k` to `q6_k`. */
  type?: TensorType
  /**
   * Types for single components, `{ lm: 'q4_k' }`, and for the convolutions of all components (`conv`) or of one
   * (`voice.conv`): `f32`, `f16`, `bf16` or `q8_0`. Without the latter, convolutions are not quantized.
   */
  types?: Readonly<Record<string, TensorType>>
  /** Stops the work and removes the unfinished file. */
  signal?: AbortSignal
  onProgress?: (progress: TensorProgress) => void
}

/**
 * Copies a bundle, or the file of a component, with weights of other types, and measures the rounding errors. Tables
 * are not quantized, convolutions only if `types` names them. A matrix whose rows are not a multiple of the type's
 * block gets a type with smaller blocks.
 *
 * @param source - a GGUF file
 * @param out - another file, with a name that ends in `.gguf`; it gets this name only when it is complete
 * @throws {@link ModelFormatError} the file is damaged; {@link FileError} the disk is full …; {@link AbortedError};
 * {@link InvalidArgumentError}
 */
export async function quantize(source: string, out: string, options: QuantizeOptions): Promise<Quantized> {
  const { type, types = {}, onProgress } = checkOptions('options', options, ['type', 'types', 'signal', 'onProgress'])
  checkText('source', source, LONGEST_PATH)
  checkText('out', out, LONGEST_PATH)
  for (const [component, wanted] of Object.entries(types)) checkName(`types.${component}`, wanted, TENSOR_TYPES)
  checkName('type', type, TENSOR_TYPES)
  const signal = checkSignal(options.signal)
  if (type === undefined && Object.keys(types).length === 0) {
    throw new InvalidArgumentError('a type is needed', { option: 'type' })
  }
  await checkModelOutput(source, out)
  const wanted = { ...types, ...(type && { default: type }) }
  return inThread('quantize', { path: source, out, types: wanted }, { signal, ...(onProgress && { onProgress }) })
}
