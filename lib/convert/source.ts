import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ModelFormatError, UnsupportedError } from '../errors.js'
import { fileError } from '../files.js'
import { openGguf, type GgufFile } from './gguf.js'
import { openOnnx, type OnnxModel } from './onnx.js'
import { openSafetensors, openShards } from './safetensors.js'
import type { SourceTensor } from './tensor.js'

/** An opened checkpoint. */
export interface Source {
  /** The path that the user gave: a file or a folder. */
  readonly path: string
  readonly kind: 'safetensors' | 'onnx' | 'gguf'
  /** `config.json`, or `NAME.onnx.json` of a Piper voice; undefined if there is none. */
  readonly config: unknown
  /** By their names in the checkpoint. */
  readonly tensors: ReadonlyMap<string, SourceTensor>
  /** Other files of the checkpoint, by name: `vocab.json`, `tokenizer.json` → their paths. */
  readonly files: ReadonlyMap<string, string>
  /** The graph of an ONNX file. */
  readonly onnx?: OnnxModel
  /** An opened GGUF file. */
  readonly gguf?: GgufFile
  close(): void
}

const LARGEST_JSON = 1 << 28
const PICKLES = /\.(bin|pt|pth|ckpt|pkl)$/i

/**
 * Opens a file or the folder of a checkpoint. Tensors are read on demand. Blocks while it reads: to be used in worker
 * threads.
 *
 * @throws {@link UnsupportedError} for PyTorch pickles and anything that is not a checkpoint; {@link ModelFormatError};
 * {@link FileError}
 */
export function openSource(path: string): Source {
  let folder: boolean
  try {
    folder = statSync(path).isDirectory()
  } catch (cause) {
    throw fileError(path, 'read', cause)
  }
  const home = folder ? path : dirname(path)
  const names = filesIn(home)
  const main = folder ? mainFile(path, names) : basename(path)
  const files = new Map(names.filter(name => name !== main).map(name => [name, join(home, name)]))
  return { path, files, ...openMain(join(home, main), files) }
}

type Opened = Omit<Source, 'path' | 'files'>

function openMain(path: string, files: Map<string, string>): Opened {
  const magic = firstBytes(path)
  const configFile = files.get(`${basename(path)}.json`) ?? files.get('config.json')
  const config = (): unknown => (configFile === undefined ? undefined : readJson(configFile))
  if (magic.subarray(0, 4).toString('latin1') === 'GGUF') {
    const gguf = openGguf(path)
    return { kind: 'gguf', config: undefined, tensors: gguf.tensors, gguf, close: () => gguf.close() }
  }
  // A zip archive, or a pickle of protocol 2 or later.
  if (magic.subarray(0, 4).toString('latin1') === 'PK\x03\x04' || (magic[0] === 0x80 && PICKLES.test(path))) {
    throw pickle(path)
  }
  if (path.endsWith('.index.json')) return { kind: 'safetensors', config: config(), ...openShards(path) }
  if (path.endsWith('.onnx')) {
    const onnx = openOnnx(path)
    return { kind: 'onnx', config: config(), tensors: onnx.tensors, onnx, close: () => undefined }
  }
  if (path.endsWith('.safetensors')) return { kind: 'safetensors', config: config(), ...openSafetensors(path) }
  if (PICKLES.test(path)) throw pickle(path)
  throw new UnsupportedError(
    `${path} is no checkpoint of a supported format: a .safetensors file, a model.safetensors.index.json, an .onnx file or a GGUF file`,
    { path },
  )
}

/** The file in a folder that holds the weights. */
function mainFile(path: string, names: readonly string[]): string {
  for (const known of ['model.safetensors.index.json', 'model.safetensors']) if (names.includes(known)) return known
  for (const ending of ['.safetensors', '.onnx', '.gguf']) {
    const found = names.filter(name => name.endsWith(ending))
    const [first] = found
    if (first === undefined) continue
    if (found.length === 1) return first
    throw new UnsupportedError(`${path} holds ${found.length} checkpoints; name one of them: ${found.join(', ')}`, {
      path,
      found,
    })
  }
  const pickled = names.find(name => name.startsWith('pytorch_model') || PICKLES.test(name))
  if (pickled !== undefined) throw pickle(join(path, pickled))
  throw new UnsupportedError(
    `${path} holds no checkpoint (.safetensors, .onnx or .gguf); it holds ${names.slice(0, 20).join(', ') || 'no files'}`,
    { path, found: names.slice(0, 20) },
  )
}

function pickle(path: string): UnsupportedError {
  return new UnsupportedError(
    `${path} is a PyTorch pickle, which may run any program when it is read, and is refused; take a safetensors version of the ` +
      'checkpoint (most repositories have a model.safetensors, on the branch refs/convert/safetensors or refs/pr/… if not on main), ' +
      'or save it as one with transformers: model.save_pretrained(folder, safe_serialization=True)',
    { path },
  )
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter(name => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile())
  } catch (cause) {
    throw fileError(folder, 'read', cause)
  }
}

function firstBytes(path: string): Buffer {
  const bytes = Buffer.alloc(8)
  try {
    const file = openSync(path, 'r')
    try {
      return bytes.subarray(0, readSync(file, bytes, 0, 8, 0))
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    throw fileError(path, 'read', cause)
  }
}

/** Reads a JSON file of a checkpoint. @throws {@link ModelFormatError}; {@link FileError} */
export function readJson(path: string): unknown {
  const text = readText(path)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ModelFormatError(`${path} is no JSON: ${(cause as Error).message}`, { path }, { cause })
  }
}

/**
 * Reads a text file of a checkpoint (UTF-8). @throws {@link ModelFormatError} the file is far too large; {@link
 * FileError}
 */
export function readText(path: string): string {
  try {
    const { size } = statSync(path)
    if (size > LARGEST_JSON) throw new ModelFormatError(`${path} is too large for a text (${size} bytes)`, { path })
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '')
  } catch (cause) {
    if (cause instanceof ModelFormatError) throw cause
    throw fileError(path, 'read', cause)
  }
}
